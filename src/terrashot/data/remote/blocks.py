"""Whether the blocks of a remote GeoTIFF that read as empty are empty in the file.

GDAL fetches the places of the blocks when they are needed. Where that request fails, libtiff keeps
a place of 0 for the open file, and GDAL takes the block for one that was never written: it reads
as nodata or 0, and no error is raised.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.enums import Interleaving
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from terrashot.data.remote.access import RemoteBytes
from terrashot.data.remote.address import RemoteFile
from terrashot.data.tiff_tags import first_directory

_BYTE_COUNTS = (279, 325)  # of strips, of tiles: TIFF 6.0, sections 8 and 15
_PLANAR = 284
_SEPARATE = 2
_UNKNOWN = (None, "0")
"""What GDAL says of the place of a block that it takes for an empty one."""


def read_blocks(
    file: RemoteFile,
    source: Any,  # noqa: ANN401 - rasterio has no types
    bands: Sequence[int],
    window: Window | None = None,
) -> np.ndarray:
    """Pixels of an open file, of which no block is taken for an empty one that is not.

    After an error the file has to be opened again; what was lost stays lost for it.

    Args:
        file: The file.
        source: The same, open.
        bands: Numbers of bands.
        window: None: all of it.

    Returns:
        Pixels [C, h, w].

    Raises:
        RasterioError: they can't be read, or the place of a block did not come.
    """
    if source.driver not in ("GTiff", "COG"):
        return np.asarray(source.read(list(bands), window=window))
    if source.interleaving is not Interleaving.band:
        pixels = np.asarray(source.read(list(bands), window=window))
        _check(file, source, bands[0], window)
        return pixels
    parts = []
    for band in bands:  # one fetches places of the next, and may mend what the other has lost
        parts.append(source.read(band, window=window))
        _check(file, source, band, window)
    return np.stack(parts)


def _check(file: RemoteFile, source: Any, band: int, window: Window | None) -> None:  # noqa: ANN401
    """Refuse what was just read of a band where GDAL lost the place of a block.

    Asked afterwards, the places are in memory. Before, they might be waited for while Python is
    locked, by a thread for which another one waits.
    """
    rows, columns = source.block_shapes[band - 1]
    across, down = -(-source.width // columns), -(-source.height // rows)
    window = window or Window(0, 0, source.width, source.height)
    empty = [
        (y, x)
        for y in range(window.row_off // rows, -(-(window.row_off + window.height) // rows))
        for x in range(window.col_off // columns, -(-(window.col_off + window.width) // columns))
        if source.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band) in _UNKNOWN
    ]
    if not empty:
        return
    counts, separate = _stored(file)
    for y, x in empty:
        at = (band - 1) * across * down * separate + y * across + x
        if at < len(counts) and counts[at]:
            _stored.cache_clear()  # the file may have become another one
            raise RasterioIOError(
                f"the place of the block in block row {y}, block column {x} did not come"
            )


@functools.lru_cache(8)
def _stored(file: RemoteFile) -> tuple[np.ndarray, bool]:
    """Bytes that each block takes, and whether each band has blocks of its own.

    They are read past libtiff, so that a request that fails is an error. Kept, because a file of
    which much is empty is asked for them at each of its pieces.
    """
    read = RemoteBytes(file)
    counts, separate = np.zeros(0, np.uint64), False
    for tag in first_directory(read):
        if tag.number == _PLANAR:
            separate = tag.short == _SEPARATE
        if tag.number in _BYTE_COUNTS:
            counts = tag.whole_numbers(read)
    return counts, separate
