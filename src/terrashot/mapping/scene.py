"""A scene: what a raster's header says, checked before anything is computed."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from terrashot.data.reading import STRICT_READING
from terrashot.errors import DataError
from terrashot.mapping.radiometry import Stretch, stretch_of

_PROBES = 12
"""A side of the grid of small windows that stand for a scene where all of it would take long."""


@dataclass(frozen=True)
class Scene:
    """One raster to be mapped.

    Args:
        path: the file.
        height: rows.
        width: columns.
        crs: reference system as WKT; None where the file names none.
        transform: pixel to world, the six numbers of an affine transform.
        bands: numbers of the red, green and blue band.
        mask: how pixels without data are told: ``none``, ``nodata``, ``alpha`` or ``mask``.
        nodata: with ``nodata``, the value of each of the three bands.
        stretch: to 8 bit; None for 8-bit pixels.
    """

    path: Path
    height: int
    width: int
    crs: str | None
    transform: tuple[float, ...]
    bands: tuple[int, int, int]
    mask: str
    nodata: tuple[float | None, ...]
    stretch: Stretch | None

    @property
    def pixels(self) -> int:
        """Pixels in all."""
        return self.height * self.width


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a raster; whatever goes wrong in opening becomes a DataError."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the path of a raster with input=PATH.")
    try:
        with rasterio.Env(**STRICT_READING), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                yield source
    except RasterioError as error:
        raise DataError(
            f"{path} cannot be read as a raster: {reason(error)}. Copy it again, or leave it out."
        ) from error


def reason(error: BaseException) -> str:
    """The first line of what GDAL said."""
    return str(error.__cause__ or error).strip().splitlines()[0].rstrip(".")


def inspect_scene(
    path: Path,
    bands: Sequence[int] | None = None,
    scale: tuple[float, float] | str | None = None,
) -> Scene:
    """Read a scene's header.

    Args:
        path: a raster that GDAL can read.
        bands: numbers of its red, green and blue band; None: it has three, and perhaps alpha.
        scale: how pixels become 8-bit ones; see ``radiometry.parse_scale``.

    Raises:
        DataError: not readable, other bands, or pixels that are not 8-bit and no scale.
    """
    with opened(path) as source:
        chosen = _bands(path, source, bands)
        mask = _mask(source, chosen)
        nodata = tuple(source.nodatavals[b - 1] for b in chosen) if mask == "nodata" else ()
        _check_type(path, source, chosen, scale)
        crs = source.crs.to_wkt() if source.crs else None
        scene = Scene(
            path=path,
            height=source.height,
            width=source.width,
            crs=crs,
            transform=tuple(source.transform)[:6],
            bands=chosen,
            mask=mask,
            nodata=nodata,
            stretch=stretch_of(scale, lambda: _sample(source, chosen, mask, nodata)),
        )
    return scene


def valid_pixels(pixels: np.ndarray, nodata: Sequence[float | None]) -> np.ndarray:
    """Where any of the three bands [3, ...] holds data, bool [...]."""
    valid = np.zeros(pixels.shape[1:], bool)
    for band, value in zip(pixels, nodata, strict=True):
        if value is None:
            return np.ones_like(valid)
        valid |= ~np.isnan(band) if np.isnan(value) else band != value
    return valid


def _bands(path: Path, source: Any, bands: Sequence[int] | None) -> tuple[int, int, int]:  # noqa: ANN401
    if bands is not None:
        if len(bands) != 3 or not all(1 <= b <= source.count for b in bands):
            raise DataError(
                f"{path} has {source.count} band(s), but input.bands is {list(bands)}; give the "
                "numbers of its red, green and blue band, counted from 1, such as [3,2,1]."
            )
        return bands[0], bands[1], bands[2]
    alpha = MaskFlags.alpha in source.mask_flag_enums[0]
    if source.count == 3 or (source.count == 4 and alpha and _is_alpha(source)):
        return 1, 2, 3
    what = " (the fourth is marked as alpha, but holds a picture)" if alpha else ""
    raise DataError(
        f"{path} has {source.count} band(s){what}, but the network takes 3: red, green, blue. Say "
        "which bands these are with input.bands, for example input.bands=[1,2,3]."
    )


def _is_alpha(source: Any) -> bool:  # noqa: ANN401 - rasterio has no types
    """Whether a fourth band is transparency: GDAL marks any fourth 8-bit band so, infrared too."""
    values = np.concatenate([source.read(4, window=w).ravel() for w in _probes(source)])
    full = 255 if source.dtypes[3] == "uint8" else np.iinfo(source.dtypes[3]).max
    return bool(np.isin(values, [0, full]).mean() > 0.95)  # soft edges are few


def _mask(source: Any, bands: Sequence[int]) -> str:  # noqa: ANN401 - rasterio has no types
    flags = source.mask_flag_enums[bands[0] - 1]
    if MaskFlags.all_valid in flags:
        return "none"
    if MaskFlags.nodata in flags:
        return "nodata"
    if MaskFlags.alpha in flags:
        return "alpha" if _is_alpha(source) else "none"
    return "mask"


def _check_type(
    path: Path,
    source: Any,  # noqa: ANN401 - rasterio has no types
    bands: Sequence[int],
    scale: tuple[float, float] | str | None,
) -> None:
    found = sorted({source.dtypes[b - 1] for b in bands})
    if any(name.startswith(("complex", "cint")) for name in found):
        raise DataError(f"{path} has complex pixels ({', '.join(found)}); a picture was expected.")
    if found != ["uint8"] and scale is None:
        raise DataError(
            f"{path} has pixels of type {', '.join(found)}, but the network was trained on 8-bit "
            "ones (uint8, 0 to 255). Say which values become 0 and 255, for example "
            "input.scale=[0,3000], or input.scale=percentile for the 2nd and 98th percentile of "
            "each band."
        )
    if found == ["uint8"] and isinstance(scale, tuple) and scale[1] > 255:
        raise DataError(
            f"{path} has 8-bit pixels (0 to 255), but input.scale is {list(scale)}. Leave "
            "input.scale out, or map this scene in a run of its own."
        )


def _probes(source: Any, side: int = 64) -> Iterator[Window]:  # noqa: ANN401 - rasterio has no types
    """Small windows spread evenly over a raster."""
    for row in range(_PROBES):
        for column in range(_PROBES):
            top = max(0, source.height - side) * row // (_PROBES - 1)
            left = max(0, source.width - side) * column // (_PROBES - 1)
            yield Window(left, top, min(side, source.width), min(side, source.height))


def _sample(
    source: Any,  # noqa: ANN401 - rasterio has no types
    bands: Sequence[int],
    mask: str,
    nodata: Sequence[float | None],
) -> np.ndarray:
    """Valid pixels of the probes, [3, N]."""
    parts = []
    for window in _probes(source):
        pixels = source.read(list(bands), window=window)
        if mask == "none":
            valid = np.ones(pixels.shape[1:], bool)
        elif mask == "nodata":
            valid = valid_pixels(pixels, nodata)
        else:
            valid = source.read_masks(bands[0], window=window) > 0
        parts.append(pixels[:, valid])
    return np.concatenate(parts, axis=1)
