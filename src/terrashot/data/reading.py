"""Reading tiles from disk: GeoTIFF, PNG and JPEG through rasterio, checked on the way in."""

import warnings
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from terrashot.errors import DataError

# Without these, GDAL fills the missing part of a cut JPEG or PNG and says nothing.
STRICT_READING = {"GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE", "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO"}


@dataclass(frozen=True)
class Georeference:
    """Where a tile lies: its reference system (None: unknown) and pixel-to-world transform."""

    crs: Any
    transform: Any


def read_image(path: Path) -> np.ndarray:
    """Read an image tile as uint8 [3, H, W], red green blue.

    Raises:
        DataError: the file is missing or damaged, has not three bands, or not 8-bit pixels.
    """
    with opened_raster(path) as source:
        if source.count != 3:
            raise DataError(
                f"{path} has {source.count} band(s), but an image tile has 3 (red, green, blue). "
                "Write the three colour bands into a new file, for example "
                f"`gdal_translate -b 1 -b 2 -b 3 {path.name} rgb.tif`, with the numbers of "
                "your red, green and blue bands."
            )
        found = sorted(set(source.dtypes))
        if found != ["uint8"]:
            raise DataError(
                f"{path} has pixels of type {', '.join(found)}, but an image tile has 8-bit pixels "
                "(uint8, 0 to 255). Scale it, for example `gdal_translate -ot Byte -scale MIN MAX "
                f"0 255 {path.name} 8bit.tif`, with the same MIN and MAX for all tiles (say the "
                "2nd and 98th percentile over the dataset)."
            )
        return _pixels(source)


def read_label(path: Path, allowed: Set[int] | None = None) -> np.ndarray:
    """Read a label tile as uint8 [H, W] of class ids.

    Args:
        path: a raster with one band.
        allowed: the ids that may occur, ``IGNORE`` included; None takes any.

    Raises:
        DataError: the file is missing or damaged, has several bands or another pixel type, or
            holds an id outside ``allowed``.
    """
    with opened_raster(path) as source:
        if source.count != 1 or source.dtypes[0] != "uint8":
            raise DataError(
                f"{path} has {source.count} band(s) of type {source.dtypes[0]}, but a label tile "
                "has one band of type uint8 whose pixels are class ids. A coloured map has to be "
                "turned back into ids; one band of another type becomes 8-bit with "
                f"`gdal_translate -b 1 -ot Byte {path.name} label.tif`."
            )
        label = _pixels(source)[0]
    if allowed is not None:
        check_label_ids(label, allowed, path)
    return label


def check_label_ids(label: np.ndarray, allowed: Set[int], path: Path) -> None:
    """Raise a DataError that names ``path`` when ``label`` holds ids outside ``allowed``."""
    counts = np.bincount(label.reshape(-1), minlength=256)
    strange = [int(i) for i in np.flatnonzero(counts) if int(i) not in allowed]
    if not strange:
        return
    found = ", ".join(f"{i} ({int(counts[i])} pixels)" for i in strange[:8])
    more = f" and {len(strange) - 8} more ids" if len(strange) > 8 else ""
    raise DataError(
        f"{path} has the label id(s) {found}{more}, but the ids allowed here are "
        f"{', '.join(str(i) for i in sorted(allowed))}. Relabel these pixels, or correct the "
        "classes in the data config if they are classes of this dataset."
    )


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of a raster in pixels; only the header is read.

    Raises:
        DataError: the file is missing or damaged.
    """
    with opened_raster(path) as source:
        return int(source.height), int(source.width)


def read_georeference(path: Path) -> Georeference:
    """Reference system and transform of a raster (identity where it has none).

    Raises:
        DataError: the file is missing or damaged.
    """
    with opened_raster(path) as source:
        return Georeference(source.crs, source.transform)


@contextmanager
def opened_raster(path: Path) -> Iterator[Any]:
    """Open a raster; whatever goes wrong in opening or reading becomes a DataError."""
    if not path.is_file():
        raise DataError(
            f"{path} does not exist, but the dataset lists it. Restore the file, or take its name "
            "off the list."
        )
    try:
        with rasterio.Env(**STRICT_READING), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # PNG, JPEG, plain TIFF
            with rasterio.open(path) as source:
                yield source
    except RasterioError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0].rstrip(".")
        raise DataError(
            f"{path} ({path.stat().st_size} bytes) cannot be read as an image: {reason}. A whole "
            "GeoTIFF, PNG or JPEG file was expected; this one is damaged or truncated. Copy or "
            "download it again."
        ) from error


def _pixels(source: Any) -> np.ndarray:  # noqa: ANN401 - rasterio has no types
    """All pixels, [bands, H, W]."""
    return np.asarray(source.read())
