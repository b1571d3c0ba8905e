"""An image file: what its header says, which bands are taken, and which pixels hold data.

Training tiles, support, queries and whole scenes are all read through here, so that a pixel that
is empty in one of them is empty in all.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from terrashot.data.bands import choose_bands
from terrashot.data.placement import check_placement
from terrashot.data.remote.access import reading_options
from terrashot.data.remote.address import RasterPath, RemoteFile
from terrashot.data.remote.blocks import read_blocks
from terrashot.data.remote.patience import remote_error
from terrashot.errors import DataError
from terrashot.image_spec import Band

# Without these, GDAL fills the missing part of a cut JPEG or PNG and says nothing.
STRICT_READING = {"GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE", "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO"}
_OPAQUE = (1, 255, 65535)
"""What a wholly visible pixel is told by, besides the highest value of the type."""
_PROBES = 12
"""A side of the grid of small windows that stand for a file where all of it would take long."""


@dataclass(frozen=True)
class Raster:
    """What is known of an image file before its pixels are read.

    Args:
        path: The file.
        height: Rows.
        width: Columns.
        dtype: Type of the chosen bands.
        crs: Reference system as WKT; None where the file names none.
        transform: Pixel to world, the six numbers of an affine transform.
        bands: Numbers of the chosen bands, from 1.
        nodata: Value of each chosen band that means no data; None: it has none.
        alpha: Number of the band that tells transparency; None: there is none.
        masked: Whether a mask in or beside the file tells where there is data.
        notes: What the file says of itself that is not made use of.
    """

    path: RasterPath
    height: int
    width: int
    dtype: str
    crs: str | None
    transform: tuple[float, ...]
    bands: tuple[int, ...]
    nodata: tuple[float | None, ...]
    alpha: int | None
    masked: bool
    notes: tuple[str, ...] = ()

    @property
    def mask(self) -> str:
        """How empty pixels are told: ``none``, or some of ``nodata``, ``alpha`` and ``mask``."""
        told = {
            "nodata": None not in self.nodata,
            "alpha": self.alpha is not None,
            "mask": self.masked,
        }
        return "+".join(name for name, there in told.items() if there) or "none"


@contextmanager
def open_raster(path: RasterPath, missing: str, kind: str = "a raster") -> Iterator[Any]:
    """Open a file with rasterio; whatever goes wrong in opening or reading is a DataError.

    Of a remote file it is a ``RemoteError``, for ``patiently``.

    Args:
        path: The file.
        missing: What to say, after the path, where there is none.
        kind: What the file should be.
    """
    if isinstance(path, RemoteFile):
        with _open_remote(path) as source:
            yield source
        return
    if not path.is_file():
        raise DataError(f"{path} does not exist{missing}")
    try:
        with rasterio.Env(**STRICT_READING), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # PNG, JPEG, plain TIFF
            with rasterio.open(path) as source:
                yield source
    except RasterioError as error:
        raise DataError(
            f"{path} ({path.stat().st_size} bytes) cannot be read as {kind}: {reason(error)}. A "
            "whole GeoTIFF, PNG, JPEG or other raster file was expected; this one is damaged or "
            "truncated. Copy or download it again, or leave it out."
        ) from error


@contextmanager
def _open_remote(file: RemoteFile) -> Iterator[Any]:
    try:
        with rasterio.Env(**STRICT_READING, **reading_options(file)), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(file.gdal) as source:
                yield source
    except RasterioError as error:
        raise remote_error(file, error) from None  # what GDAL says holds the whole address


def reason(error: BaseException) -> str:
    """The first line of what GDAL said."""
    return str(error.__cause__ or error).strip().splitlines()[0].rstrip(".")


def inspect_raster(
    path: RasterPath,
    source: Any,  # noqa: ANN401 - rasterio has no types
    wanted: Sequence[Band],
    key: str,
) -> Raster:
    """What the header of an open file says.

    Args:
        path: The file.
        source: The same, open.
        wanted: The channels.
        key: The setting that chooses bands, for messages.

    Raises:
        DataError: bands that are not there or not clear, of unlike or complex types, a palette,
            or pixels that lie otherwise than the file's rows and columns.
    """
    crs, notes = check_placement(path, source)
    alpha = _alpha(path, source)
    bands = choose_bands(path, source, wanted, alpha, key)
    if alpha in bands:
        alpha = None  # asked for by its number: a channel
    found = sorted({source.dtypes[band - 1] for band in bands})
    if len(found) > 1 or found[0].startswith(("complex", "cint")):
        raise DataError(
            f"{path} has pixels of type {', '.join(found)}; a picture of one type, whole or "
            "floating-point numbers, was expected."
        )
    flags = source.mask_flag_enums[bands[0] - 1]
    return Raster(
        path=path,
        height=int(source.height),
        width=int(source.width),
        dtype=found[0],
        crs=crs,
        transform=tuple(source.transform)[:6],
        bands=bands,
        nodata=tuple(source.nodatavals[band - 1] for band in bands),
        alpha=alpha,
        masked=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
        notes=notes,
    )


def read_pixels(
    source: Any,  # noqa: ANN401 - rasterio has no types
    raster: Raster,
    window: Window | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a window of an open file, as they stand in it, and which of them hold data.

    A pixel is empty where all its bands are nodata, where one of them is no finite number, where
    it is wholly transparent, and where a mask says so.

    Args:
        source: The file.
        raster: What is known of it.
        window: None: all of it.
        size: Rows and columns that the window is brought to, from overviews where there are any,
            by the nearest pixel; None: its own.

    Returns:
        pixels [C, h, w] in the file's type; valid, bool [h, w].

    Raises:
        RasterioError: they can't be read.
    """
    pixels = _read(raster.path, source, raster.bands, window, size)
    valid = np.ones(pixels.shape[1:], bool)
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=0)
    if None not in raster.nodata:
        filled = np.zeros_like(valid)
        for band, value in zip(pixels, raster.nodata, strict=True):
            assert value is not None
            filled |= ~np.isnan(band) if np.isnan(value) else band != value
        valid &= filled
    if raster.alpha is not None:
        (alpha,) = _read(raster.path, source, [raster.alpha], window, size)
        valid &= np.nan_to_num(alpha) > 0 if alpha.dtype.kind == "f" else alpha > 0
    if raster.masked:
        valid &= source.read_masks(raster.bands[0], window=window, **_shape(size)) > 0
    return pixels, valid


def _read(
    path: RasterPath,
    source: Any,  # noqa: ANN401 - rasterio has no types
    bands: Sequence[int],
    window: Window | None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    if isinstance(path, RemoteFile) and size is None:
        return read_blocks(path, source, bands, window)
    return np.asarray(source.read(list(bands), window=window, **_shape(size)))


def _shape(size: tuple[int, int] | None) -> dict[str, tuple[int, int]]:
    """How GDAL is asked for another size than the window's."""
    return {} if size is None else {"out_shape": size}


def sample_pixels(source: Any, raster: Raster) -> np.ndarray:  # noqa: ANN401 - rasterio has no types
    """Valid pixels [C, N] of small windows spread evenly over an open file."""
    parts = []
    for window in _probes(source):
        pixels, valid = read_pixels(source, raster, window)
        parts.append(pixels[:, valid])
    return np.concatenate(parts, axis=1)


def _alpha(path: RasterPath, source: Any) -> int | None:  # noqa: ANN401 - rasterio has no types
    """Number of the band that tells transparency; None where there is none.

    GDAL marks any fourth 8-bit band as alpha, infrared too. Transparency is mostly all or nothing:
    of the pixels above 0, most have one and the same highest value, whichever it is (1, 255,
    65535, 1.0); soft edges are few. A band of any other value is a picture, however even.
    """
    marked = [i for i, c in enumerate(source.colorinterp, start=1) if c == ColorInterp.alpha]
    if len(marked) != 1:
        return None
    parts = (_read(path, source, marked, window).ravel() for window in _probes(source))
    values = np.concatenate(list(parts))
    shown = values[values > 0]
    if not len(shown) or (shown == shown.max()).mean() < 0.5:
        return None
    kind = np.dtype(shown.dtype)
    if shown.max() not in {*_OPAQUE, np.iinfo(kind).max if kind.kind in "ui" else 1}:
        return None
    return marked[0]


def _probes(source: Any, side: int = 64) -> Iterator[Window]:  # noqa: ANN401 - rasterio has no types
    """Small windows spread evenly over a raster; a small raster is one of them."""
    starts = [
        sorted({max(0, length - side) * i // (_PROBES - 1) for i in range(_PROBES)})
        for length in (source.height, source.width)
    ]
    for top in starts[0]:
        for left in starts[1]:
            yield Window(left, top, min(side, source.width), min(side, source.height))
