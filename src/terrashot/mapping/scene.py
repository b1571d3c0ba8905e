"""A scene: what a raster's header says, checked before anything is computed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from terrashot.data.imagery import PERCENTILE, percentiles, scale_pairs
from terrashot.data.raster import Raster, inspect_raster, open_raster, sample_pixels
from terrashot.data.remote.address import RasterPath, RemoteFile
from terrashot.data.remote.content import fingerprint
from terrashot.data.remote.patience import patiently
from terrashot.errors import DataError
from terrashot.image_spec import EIGHT_BIT, Band, ImageSpec


@dataclass(frozen=True)
class Scene:
    """One raster to be mapped.

    Args:
        raster: What its header says.
        spec: The network's channels, with the scale of this scene.
        content: A digest of the content of a remote file, whose size and time are not known.
    """

    raster: Raster
    spec: ImageSpec
    content: str = ""

    @property
    def path(self) -> RasterPath:
        """The file."""
        return self.raster.path

    @property
    def height(self) -> int:
        """Rows."""
        return self.raster.height

    @property
    def width(self) -> int:
        """Columns."""
        return self.raster.width

    @property
    def crs(self) -> str | None:
        """Reference system as WKT; None where the file names none."""
        return self.raster.crs

    @property
    def transform(self) -> tuple[float, ...]:
        """Pixel to world, the six numbers of an affine transform."""
        return self.raster.transform

    @property
    def pixels(self) -> int:
        """Pixels in all."""
        return self.height * self.width

    @property
    def identity(self) -> tuple[Any, ...]:
        """What a map depends on beside the pixels: bands, mask, and scale of each band."""
        raster, scale = self.raster, self.spec.scale
        nodata = raster.nodata if "nodata" in raster.mask else ()
        return raster.bands, raster.mask, nodata, scale


@contextmanager
def opened(path: RasterPath) -> Iterator[Any]:
    """Open a raster; whatever goes wrong in opening becomes a DataError."""
    with open_raster(path, "; give the path of a raster with input=PATH.") as source:
        yield source


def inspect_scene(
    path: RasterPath,
    spec: ImageSpec | None = None,
    bands: Sequence[Band] | None = None,
    scale: tuple[float, float] | str | None = None,
) -> Scene:
    """Read a scene's header.

    Args:
        path: A raster that GDAL can read.
        spec: The network's channels; None: 8-bit RGB.
        bands: Where they are in this file, numbers or names; None: where ``spec`` says.
        scale: The values that become 0 and 1 here; see ``imagery.parse_scale``. None: those of
            ``spec``, for a file of its type.

    Raises:
        ConfigError: another number of bands than the network has channels.
        DataError: not readable, other bands, or pixels of another type and no scale.
    """
    own = (spec or ImageSpec()).read_as(bands)
    return patiently(lambda: _inspected(path, own, scale))


def _inspected(path: RasterPath, own: ImageSpec, scale: tuple[float, float] | str | None) -> Scene:
    with opened(path) as source:
        raster = inspect_raster(path, source, own.bands, "input.bands")
        _check_type(raster, own, scale)
        content = fingerprint(path, source) if isinstance(path, RemoteFile) else ""
        if scale is None:
            return Scene(raster, own, content)
        pairs = scale_pairs(scale, raster, lambda: percentiles(sample_pixels(source, raster)))
    return Scene(raster, replace(own, scale=pairs), content)


def _check_type(raster: Raster, spec: ImageSpec, scale: tuple[float, float] | str | None) -> None:
    if scale is None and raster.dtype != spec.dtype:
        if spec.dtype == EIGHT_BIT:
            trained = "8-bit ones (uint8, 0 to 255)"
        else:
            low, high = (spec.scale or ((0.0, 255.0),))[0]
            trained = f"{spec.dtype} ones, scaled from {low:g} to {high:g}"
        raise DataError(
            f"{raster.path} has pixels of type {raster.dtype}, but the network was trained on "
            f"{trained}. Say which values become black and white, for example "
            f"input.scale=[0,3000], or input.scale={PERCENTILE} for the 2nd and 98th percentile "
            "of each band."
        )
    if raster.dtype == EIGHT_BIT and isinstance(scale, tuple) and scale[1] > 255:
        raise DataError(
            f"{raster.path} has 8-bit pixels (0 to 255), but input.scale is {list(scale)}. Leave "
            "input.scale out, or map this scene in a run of its own."
        )
