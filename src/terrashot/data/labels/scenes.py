"""Images that labels are drawn on: found, looked at, read window by window."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from terrashot.data.imagery import PERCENTILE, percentiles, scale_pairs
from terrashot.data.labels.windows import Place
from terrashot.data.raster import Raster, inspect_raster, open_raster, read_pixels, sample_pixels
from terrashot.data.reading import check_type
from terrashot.data.remote.address import RasterPath
from terrashot.data.remote.patience import patiently
from terrashot.data.remote.places import elsewhere
from terrashot.errors import DataError
from terrashot.image_spec import EIGHT_BIT, Band, ImageSpec

_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".img")
_MISSING = "; name the images that the labels are drawn on."


@dataclass(frozen=True)
class LabelledImage:
    """An image that labels are drawn on.

    Args:
        raster: What its header says.
        spec: The network's channels, with the scale of this image.
    """

    raster: Raster
    spec: ImageSpec

    def read(self, place: Place) -> tuple[np.ndarray, np.ndarray]:
        """A window: bytes or float32 in 0..1 [C, h, w], 0 where empty; what holds data [h, w].

        Raises:
            DataError: the file is damaged here.
        """
        raw, valid = patiently(lambda: self._read(place))
        pixels = self.spec.pixels(raw)
        return np.where(valid, pixels, 0).astype(pixels.dtype), valid

    def _read(self, place: Place) -> tuple[np.ndarray, np.ndarray]:
        window = Window(place.left, place.top, place.width, place.height)
        with open_raster(self.raster.path, _MISSING) as source:
            return read_pixels(source, self.raster, window)


def find_images(
    value: str | Path | Sequence[str | Path], key: str = "support.images"
) -> list[RasterPath]:
    """The rasters of a file, a folder (not of folders in it), a glob, an address or a catalogue.

    Args:
        value: The setting.
        key: Its name, for messages.

    Raises:
        DataError: there is none.
    """
    if not isinstance(value, str | Path):
        return sorted({path for each in value for path in find_images(each, key)}, key=_order)
    remote = elsewhere(value) if isinstance(value, str) else None
    if remote is not None:
        return remote
    path = Path(value)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file()]
    elif path.is_file():
        found = [path]
    else:
        found = [Path(p) for p in glob.glob(str(value), recursive=True) if Path(p).is_file()]
    if not found:
        raise DataError(
            f"{key}={value}: there is no raster there. Give a raster, a folder of "
            "rasters, or a glob in quotes such as 'city/*.tif'."
        )
    return [*sorted(found)]


def _order(path: RasterPath) -> tuple[str, ...]:
    return path.parts if isinstance(path, Path) else (str(path),)


def inspect_images(
    paths: Sequence[RasterPath],
    spec: ImageSpec,
    bands: Sequence[Band] | None = None,
    scale: tuple[float, float] | str | None = None,
    group: str = "support",
) -> list[LabelledImage]:
    """Read the headers.

    Args:
        paths: The files.
        spec: The network's channels.
        bands: Where they are in these files, numbers or names; None: where ``spec`` says.
        scale: The values that become 0 and 1 here; see ``imagery.parse_scale``. None: those of
            ``spec``, for files of its type.
        group: Of settings that ``bands`` and ``scale`` stand in, for messages.

    Raises:
        ConfigError: another number of bands than the network has channels.
        DataError: not readable, other bands, or pixels of another type and no scale.
    """
    own = spec.read_as(bands, f"{group}.bands")
    return [patiently(partial(_inspected, path, own, scale, group)) for path in paths]


def _inspected(
    path: RasterPath, spec: ImageSpec, scale: tuple[float, float] | str | None, group: str
) -> LabelledImage:
    with open_raster(path, _MISSING) as source:
        raster = inspect_raster(path, source, spec.bands, f"{group}.bands")
        if scale is None and raster.dtype != spec.dtype and spec.dtype == EIGHT_BIT:
            raise DataError(
                f"{path} has pixels of type {raster.dtype}, but the network was trained on 8-bit "
                "ones. Say which values become black and white, as for the scenes that are mapped "
                f"later, for example {group}.scale=[0,3000] or {group}.scale={PERCENTILE}."
            )
        if scale is None:
            check_type(raster, spec)
            return LabelledImage(raster, spec)
        pairs = scale_pairs(scale, raster, lambda: percentiles(sample_pixels(source, raster)))
    return LabelledImage(raster, replace(spec, scale=pairs))
