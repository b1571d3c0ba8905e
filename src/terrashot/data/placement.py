"""What a file says of where it lies, and what of it can't be followed."""

import re
import struct
from contextlib import ExitStack
from typing import Any

import numpy as np
from rasterio.errors import RasterioError

from terrashot.data.remote.access import RemoteBytes
from terrashot.data.remote.address import RasterPath, RemoteFile
from terrashot.data.tiff_tags import Read, first_directory
from terrashot.errors import DataError

_ORIENTATION = 274  # TIFF 6.0, section 8
_UPRIGHT = (None, 1)
_FURTHEST = 1e12
"""Of any coordinate: a hundred times the Earth's girth in millimetres."""
_RESOLVED = 1e-12
"""Least size of a pixel beside its coordinates; float64 has about 2e-16."""


def check_placement(path: RasterPath, source: Any) -> tuple[str | None, tuple[str, ...]]:  # noqa: ANN401
    """The reference system of an open file as WKT, and notes on what is not made use of.

    Raises:
        DataError: pixels would have to be moved first: control points, polynomials of a sensor,
            or an orientation that turns the picture; or the place can't be one.
    """
    turned = _orientation(path, source)
    if turned not in _UPRIGHT:
        raise DataError(
            f"{path} has the orientation tag {turned}: viewers show it turned or mirrored, but "
            "its rows and columns, and so those of a map or a label, are as stored. Turn the "
            f"pixels themselves (`magick {path.name} -auto-orient upright.tif`) and take the tag "
            "off."
        )
    placed = not source.transform.is_identity
    if not placed and source.gcps[0]:
        raise DataError(
            f"{path} is placed by {len(source.gcps[0])} control points, so its pixels lie on no "
            f"regular grid. Bring it onto one first: `gdalwarp -r bilinear {path.name} warped.tif`."
        )
    if not placed and source.rpcs is not None:
        raise DataError(
            f"{path} is placed by the polynomials of its sensor (RPC), so its pixels lie on no "
            f"regular grid. Bring it onto one first: `gdalwarp -rpc -r bilinear {path.name} "
            "warped.tif`, best with a terrain model."
        )
    if placed:
        _check_numbers(path, source)
    crs = source.crs.to_wkt() if source.crs else None
    notes = []
    if crs is not None and not placed:
        crs = None
        notes.append("names a reference system, but not where it lies in it, so it is left out")
    steps, starts = set(source.scales), set(source.offsets)
    if steps != {1.0} or starts != {0.0}:
        notes.append(
            "has a scale or offset tag for physical values, which is left out: pixels are taken "
            "as stored"
        )
    return crs, tuple(notes)


def _check_numbers(path: RasterPath, source: Any) -> None:  # noqa: ANN401 - rasterio has no types
    """Refuse a place, as of a damaged file, in which neighbouring pixels are not to be told apart.

    Lengths, areas and polygons of such pixels come to nothing, or to what is no number.
    """
    transform, width, height = source.transform, source.width, source.height
    with np.errstate(all="ignore"):
        x, y = transform @ (np.array([0, width, 0, width]), np.array([0, 0, height, height]))
        furthest = max(float(np.abs(x).max()), float(np.abs(y).max()))
        sides = np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e)
        area = abs(transform.a * transform.e - transform.b * transform.d)
    told_apart = min(sides) > _RESOLVED * furthest and area > _RESOLVED * sides[0] * sides[1]
    if not (furthest < _FURTHEST and told_apart):
        raise DataError(
            f"{path} is placed by the numbers {', '.join(f'{n:g}' for n in transform[:6])}, by "
            "which its pixels lie nowhere or upon each other: the file is damaged, or was placed "
            "wrongly. Place it anew (`gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM`), or take it "
            "from its source again."
        )


def system_name(crs: Any) -> str:  # noqa: ANN401 - rasterio has no types
    """A reference system as a person reads it: ``EPSG:26914``, or the name that it was given."""
    text = str(crs.to_string())
    name = re.match(r'\w+\["([^"]+)"', text)
    return text if name is None else name[1]


def _orientation(path: RasterPath, source: Any) -> int | None:  # noqa: ANN401 - rasterio has no types
    """The orientation tag of a TIFF or JPEG; GDAL follows neither."""
    if source.driver not in ("GTiff", "COG"):
        value = source.tags().get("EXIF_Orientation")
        return int(value) if value is not None and str(value).isdigit() else None
    with ExitStack() as stack:
        try:
            if isinstance(path, RemoteFile):
                return _orientation_tag(RemoteBytes(path))
            file = stack.enter_context(path.open("rb"))

            def read(first: int, count: int) -> bytes:
                file.seek(first)
                return file.read(count)

            return _orientation_tag(read)
        except (OSError, RasterioError, struct.error):
            return None  # whatever is wrong with the file, GDAL says it better


def _orientation_tag(read: Read) -> int | None:
    found = (tag.short for tag in first_directory(read) if tag.number == _ORIENTATION)
    return next(found, None)
