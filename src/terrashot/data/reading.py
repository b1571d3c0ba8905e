"""Reading tiles from disk: GeoTIFF, PNG and JPEG through rasterio, checked on the way in."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp

from terrashot.data.label_codes import LabelCodes
from terrashot.data.placement import system_name
from terrashot.data.raster import Raster, inspect_raster, open_raster, read_pixels
from terrashot.errors import DataError
from terrashot.image_spec import EIGHT_BIT, ImageSpec
from terrashot.taxonomy import IGNORE

_PLACE = 0.5
"""Of a pixel, by which the corners of a tile and of its label may differ."""


@dataclass(frozen=True)
class Georeference:
    """Where a tile lies: its reference system (None: unknown) and pixel-to-world transform."""

    crs: Any
    transform: Any


@dataclass(frozen=True)
class ImageTile:
    """An image that was read.

    Args:
        pixels: uint8 [C, H, W], or float32 in 0..1 where the images are scaled; 0 where empty.
        valid: Which pixels hold data, bool [H, W].
        raster: What its file says.
    """

    pixels: np.ndarray
    valid: np.ndarray
    raster: Raster


def read_tile(path: Path, spec: ImageSpec) -> ImageTile:
    """Read an image tile with the channels of ``spec``.

    Raises:
        DataError: the file is missing or damaged, has other bands or another pixel type.
    """
    with opened_raster(path) as source:
        raster = inspect_raster(path, source, spec.bands, "data.bands")
        check_type(raster, spec)
        raw, valid = read_pixels(source, raster)
    pixels = spec.pixels(raw)
    if not valid.all():
        # Empty pixels are told by zeros further on, as padding is.
        pixels = np.where(valid, pixels, 0).astype(pixels.dtype)
    return ImageTile(pixels, valid, raster)


def read_image(path: Path, spec: ImageSpec | None = None) -> np.ndarray:
    """The pixels of ``read_tile``; without a spec those of an 8-bit RGB image."""
    return read_tile(path, spec or ImageSpec()).pixels


def empty_pixels(path: Path, spec: ImageSpec) -> np.ndarray | None:
    """Where an image tile holds no data, bool [H, W]; None where its header rules that out.

    Most images have neither nodata nor mask, and their pixels are not read.

    Raises:
        DataError: as ``read_tile``.
    """
    with opened_raster(path) as source:
        raster = inspect_raster(path, source, spec.bands, "data.bands")
        check_type(raster, spec)
        if raster.mask == "none" and not raster.dtype.startswith("float"):
            return None
        return ~read_pixels(source, raster)[1]


def check_type(raster: Raster, spec: ImageSpec) -> None:
    """Raise a DataError where a tile's pixels are of another type than the network's images."""
    if raster.dtype == spec.dtype:
        return
    path = raster.path
    if spec.dtype == EIGHT_BIT:
        raise DataError(
            f"{path} has pixels of type {raster.dtype}, but these images have 8-bit pixels "
            "(uint8, 0 to 255). Where all tiles are of this type, give data.scale=[LOW,HIGH] or "
            "data.scale=percentile and train on them; otherwise scale this one, for example "
            f"`gdal_translate -ot Byte -scale MIN MAX 0 255 {path.name} 8bit.tif`, with the same "
            "MIN and MAX for all tiles."
        )
    raise DataError(
        f"{path} has pixels of type {raster.dtype}, but these images are of type {spec.dtype}, "
        f"scaled from {_span(spec)}. Bring the file to that type and range, or take it off its "
        "list."
    )


def check_same_place(image: Raster, label: Path, place: Georeference) -> None:
    """Raise a DataError where a label says that it lies elsewhere than its image.

    Files that do not say where they lie are taken to fit.
    """
    if image.crs is None or place.crs is None or place.transform.is_identity:
        return
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    own, other = Affine(*image.transform), place.transform
    step = max(abs(own.a) + abs(own.b), 1e-300)
    corners = [(0, 0), (image.width, 0), (0, image.height), (image.width, image.height)]
    shift = max(
        max(abs(x - u), abs(y - v)) / step
        for (x, y), (u, v) in ((own @ c, other @ c) for c in corners)
    )
    same_system = CRS.from_wkt(image.crs) == place.crs
    if same_system and shift <= _PLACE:
        return
    if same_system:
        what = f"its corners are up to {shift:,.1f} pixels away from those of the image"
    else:
        what = (
            f"its reference system is {system_name(place.crs)}, that of the image "
            f"{system_name(CRS.from_wkt(image.crs))}"
        )
    raise DataError(
        f"{label} does not lie where its image {image.path} lies: {what}. Both must cover the same "
        "ground, pixel on pixel. Write the label anew on the grid of the image (`gdalwarp -r "
        "near -t_srs ... -te ... -ts ...`), or pair the files rightly."
    )


def read_label(
    path: Path, allowed: Set[int] | None = None, codes: LabelCodes | None = None
) -> np.ndarray:
    """Read a label tile as uint8 [H, W] of class ids.

    Whole numbers of any type are taken where they are ids. The file's own value for no data, where
    that is no id, becomes ``IGNORE``.

    Args:
        path: a raster with one band.
        allowed: the ids that may occur, ``IGNORE`` included; None takes any from 0 to 255.
        codes: what the file's numbers or colours stand for; None: its pixels are ids.

    Raises:
        DataError: the file is missing or damaged, has several bands or pixels that are no whole
            numbers, or holds an id outside ``allowed``.
    """
    return read_placed_label(path, allowed, codes)[0]


def read_placed_label(
    path: Path,
    allowed: Set[int] | None = None,
    codes: LabelCodes | None = None,
    known: Set[int] | None = None,
) -> tuple[np.ndarray, Georeference]:
    """The same, and where the label lies.

    Args:
        path: See ``read_label``.
        allowed: See ``read_label``.
        codes: See ``read_label``.
        known: The ids of the dataset, where others may occur; None: those that are allowed.
    """
    with opened_raster(path) as source:
        place = Georeference(source.crs, source.transform)
        if codes is not None:
            pixels = np.asarray(source.read())
            return codes.ids(pixels, _palette(source), path, label_nodata(source)), place
        if source.count != 1 or np.dtype(source.dtypes[0]).kind not in "ui":
            raise DataError(
                f"{path} has {source.count} band(s) of type {source.dtypes[0]}, but a label tile "
                "has one band of whole numbers that are class ids. A coloured map has to be "
                "turned back into ids; one band of another type becomes 8-bit with "
                f"`gdal_translate -b 1 -ot Byte {path.name} label.tif`."
            )
        label = np.asarray(source.read(1))
        nodata = label_nodata(source)
    ids = known or allowed or {*range(256)}
    if nodata is not None and nodata not in ids:
        label = np.where(label == nodata, IGNORE, label.astype(np.int64))
    if label.dtype != np.uint8:
        strange = np.unique(label[(label < 0) | (label > 255)])
        if len(strange):
            raise DataError(
                f"{path} has the label id(s) {', '.join(map(str, strange[:8]))}, but ids lie from "
                "0 to 255. Relabel these pixels."
            )
        label = label.astype(np.uint8)
    if allowed is not None:
        check_label_ids(label, allowed, path)
    return label, place


def _palette(source: Any) -> dict[int, Any] | None:  # noqa: ANN401 - rasterio's dataset
    """Colours by the values of a file of one band; None where it has none."""
    if source.count > 1 or source.colorinterp[0] != ColorInterp.palette:
        return None
    try:
        return dict(source.colormap(1))
    except ValueError:  # tagged so, but without a table
        return None


def label_nodata(source: Any) -> int | None:  # noqa: ANN401 - rasterio's dataset
    """The value that a label file calls no data; None where it names none that labels can hold."""
    nodata = source.nodatavals[0]
    return int(nodata) if nodata is not None and float(nodata).is_integer() else None


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
    """Open a file of a dataset; whatever goes wrong in opening or reading becomes a DataError."""
    missing = ", but the dataset lists it. Restore the file, or take its name off the list."
    with open_raster(path, missing, "an image") as source:
        yield source


def _span(spec: ImageSpec) -> str:
    low, high = (spec.scale or ((0, 255),))[0]
    return f"{low:g} to {high:g}"
