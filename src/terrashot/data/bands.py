"""Which bands of a file the channels of an image are."""

from collections.abc import Sequence
from typing import Any

from rasterio.enums import ColorInterp

from terrashot.data.remote.address import RasterPath
from terrashot.errors import DataError
from terrashot.image_spec import RGB, Band


def choose_bands(
    path: RasterPath,
    source: Any,  # noqa: ANN401 - rasterio has no types
    wanted: Sequence[Band],
    alpha: int | None,
    key: str,
) -> tuple[int, ...]:
    """Numbers of the wanted bands, from 1.

    Args:
        path: The file, for messages.
        source: The same, open.
        wanted: Numbers, or names: a band's colour interpretation or description, in any case.
        alpha: Number of the band that tells transparency; it is no picture.
        key: The setting that chooses bands, for messages.

    Raises:
        DataError: a band is not there, it is not clear which one is meant, or pixels are indices
            of a palette.
    """
    colors = [c.name for c in source.colorinterp]
    if ColorInterp.palette in source.colorinterp:
        raise DataError(
            f"{path} is a palette picture: its pixels are numbers of colours. Turn them into "
            f"colours first, `gdal_translate -expand rgb {path.name} rgb.tif`."
        )
    if all(isinstance(band, int) for band in wanted):
        numbers = [int(band) for band in wanted]
        if not all(1 <= number <= source.count for number in numbers):
            raise DataError(
                f"{path} has {source.count} band(s), but {key} is {numbers}; give numbers from 1 "
                f"to {source.count}, one for each channel, such as "
                f"{key}={_typed(range(1, min(3, source.count) + 1))}."
            )
        return tuple(numbers)
    if tuple(wanted) == RGB:
        return _rgb(path, source, colors, alpha, key)
    names = [str(d or "") for d in source.descriptions]
    return tuple(_named(path, band, colors, names, key) for band in wanted)


def _rgb(
    path: RasterPath,
    source: Any,  # noqa: ANN401 - rasterio has no types
    colors: list[str],
    alpha: int | None,
    key: str,
) -> tuple[int, ...]:
    """Red, green and blue of a file that holds nothing else, by what it says of its bands."""
    picture = [number for number in range(1, source.count + 1) if number != alpha]
    told = [colors[number - 1] for number in picture]
    if len(picture) == 3:
        if sorted(told) == sorted(RGB):
            return tuple(picture[told.index(str(color))] for color in RGB)
        # A single tag that contradicts the order leaves nothing to rely on.
        if all(c not in RGB or c == str(RGB[i]) for i, c in enumerate(told)):
            return tuple(picture)
    hidden = source.count > 3 and alpha is None and "alpha" in colors
    what = ""
    if hidden:
        ordinal = {4: "fourth"}.get(colors.index("alpha") + 1, f"band {colors.index('alpha') + 1}")
        what = f" (the {ordinal} is marked as alpha, but holds a picture)"
    example = [1, 2, 3] if len(picture) >= 3 else [1, 1, 1]
    if all(told.count(str(color)) == 1 for color in RGB):
        example = [picture[told.index(str(color))] for color in RGB]
    means = "" if len(picture) >= 3 else ", which takes grey for all three"
    raise DataError(
        f"{path} has {source.count} band(s){what}, tagged {', '.join(colors)}, but the network "
        f"takes 3: red, green, blue. Say which bands these are with {key}, for example "
        f"{key}={_typed(example)}{means}."
    )


def _named(path: RasterPath, band: Band, colors: list[str], names: list[str], key: str) -> int:
    if isinstance(band, int):
        if 1 <= band <= len(colors):
            return band
        found = []
    else:
        name = band.casefold()
        pairs = enumerate(zip(colors, names, strict=True), start=1)
        found = [i for i, (color, own) in pairs if name in (color, own.casefold())]
    if len(found) == 1:
        return found[0]
    said = [f"{i} {names[i - 1] or colors[i - 1]}" for i in range(1, len(colors) + 1)]
    raise DataError(
        f"{path} has {'no' if not found else 'more than one'} band '{band}': its bands are "
        f"{', '.join(said)}. Give numbers from 1 to {len(colors)} with {key}, or write the names "
        "into the files (gdal_edit.py -colorinterp_4 nir)."
    )


def _typed(numbers: Sequence[int]) -> str:
    """A list as it is typed on the command line."""
    return "[" + ",".join(map(str, numbers)) + "]"
