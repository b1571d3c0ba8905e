"""What a file says of where it lies, and what of it can't be followed."""

from pathlib import Path
from typing import Any

from PIL import TiffImagePlugin

from terrashot.errors import DataError

_ORIENTATION = 274  # TIFF 6.0, section 8
_UPRIGHT = (None, 1)


def check_placement(path: Path, source: Any) -> tuple[str | None, tuple[str, ...]]:  # noqa: ANN401
    """The reference system of an open file as WKT, and notes on what is not made use of.

    Raises:
        DataError: pixels would have to be moved first: control points, polynomials of a sensor,
            or an orientation that turns the picture.
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


def _orientation(path: Path, source: Any) -> int | None:  # noqa: ANN401 - rasterio has no types
    """The orientation tag of a TIFF or JPEG; GDAL follows neither."""
    if source.driver in ("GTiff", "COG"):
        try:
            with path.open("rb") as file:
                head = file.read(8)
                if head[2:4] in (b"+\x00", b"\x00+"):  # BigTIFF
                    head += file.read(8)
                tags = TiffImagePlugin.ImageFileDirectory_v2(head)
                file.seek(tags.next)
                tags.load(file)
            return int(tags.get(_ORIENTATION, 1))
        except (OSError, SyntaxError, ValueError, TypeError, KeyError):
            return None  # whatever is wrong with the file, GDAL says it better
    value = source.tags().get("EXIF_Orientation")
    return int(value) if value is not None and str(value).isdigit() else None
