"""Windows of a remote raster, put together from pieces along its blocks, several read at once."""

import queue
import threading
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from terrashot.data.raster import STRICT_READING, Raster, read_pixels
from terrashot.data.remote.access import reading_options
from terrashot.data.remote.address import RemoteFile
from terrashot.data.remote.patience import patiently, remote_error

Box = tuple[int, int, int, int]
"""Row, column, height and width."""
Pixels = tuple[np.ndarray, np.ndarray]
_SIDE = 256
"""Smaller blocks are read together."""
_STRIP = 1 << 20
"""Pixels of a piece where blocks are as wide as the raster."""
_RANDOM = ("GTiff", "COG", "JP2OpenJPEG")
"""Formats whose blocks are found without reading those before them."""
_CACHE, _MOST = 64 << 20, 1 << 30


class PieceReader:
    """Reads the windows that are to come, in their order; a context manager, for one thread.

    Each block is asked for once: a piece stays until the last window that shows it was read, or
    until all of them take more than a gigabyte. Every request that fails is made again, from the
    opening of the file on (see ``patiently``).

    Args:
        raster: A remote raster.
        coming: The windows, in the order in which they will be read.
        requests: Pieces that are read at once.
    """

    def __init__(self, raster: Raster, coming: Sequence[Box], requests: int) -> None:
        assert isinstance(raster.path, RemoteFile)
        self._file = raster.path
        self._raster = raster
        self._coming = coming
        self._requests = requests
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._asked: dict[Box, Future[Pixels]] = {}
        self._uses: dict[Box, deque[int]] = {}
        self._position = 0

    def __enter__(self) -> "PieceReader":
        """Open the file.

        Raises:
            RemoteError: it can't be opened.
        """
        # Settings are those of the process, so that they are made once and not in each thread.
        options = reading_options(self._file, beside=self._raster.masked)
        self._env = rasterio.Env(GDAL_CACHEMAX=_CACHE, **STRICT_READING, **options)
        self._env.__enter__()
        try:
            first = patiently(self._opened, self._stop)
        except BaseException:
            self._env.__exit__()
            raise
        self._size = _piece_size(first.block_shapes[0])
        self._item = first.count * np.dtype(first.dtypes[0]).itemsize + 1
        threads = self._requests if first.driver in _RANDOM else 1
        self._free.put(first)
        self._ahead = 2 * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read pieces")
        for number, window in enumerate(self._coming):
            for piece in self._pieces(window):
                self._uses.setdefault(piece, deque()).append(number)
        self._order = deque(self._uses)
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._free.empty():
            self._free.get().close()
        self._env.__exit__()

    def read(self, window: Box) -> Pixels:
        """The next window: pixels [C, h, w] as they stand in the file; valid, bool [h, w].

        Raises:
            RemoteError: it can't be read.
        """
        assert window == self._coming[self._position]
        _, _, height, width = window
        pieces = self._pieces(window)
        for piece in pieces:
            self._ask(piece)
        self._ask_ahead()
        pixels = np.empty((len(self._raster.bands), height, width), self._raster.dtype)
        valid = np.empty((height, width), bool)
        for piece in pieces:
            raw, holds = self._asked[piece].result()
            (to_y, from_y), (to_x, from_x) = (
                _overlap(window[axis], window[axis + 2], piece[axis], piece[axis + 2])
                for axis in (0, 1)
            )
            pixels[:, to_y, to_x] = raw[:, from_y, from_x]
            valid[to_y, to_x] = holds[from_y, from_x]
        for piece in pieces:
            self._uses[piece].popleft()
            if not self._uses[piece]:
                del self._asked[piece], self._uses[piece]
        self._position += 1
        self._make_room()
        return pixels, valid

    def _pieces(self, window: Box) -> list[Box]:
        (top, left, height, width), (rows, columns) = window, self._size
        return [
            (y, x, min(rows, self._raster.height - y), min(columns, self._raster.width - x))
            for y in range(top // rows * rows, top + height, rows)
            for x in range(left // columns * columns, left + width, columns)
        ]

    def _ask(self, piece: Box) -> None:
        if piece not in self._asked:
            self._asked[piece] = self._pool.submit(
                patiently, partial(self._attempt, piece), self._stop
            )

    def _ask_ahead(self) -> None:
        """Ask for what the windows after this one show first."""
        ahead = sum(self._uses[piece][0] > self._position for piece in self._asked)
        while self._order and ahead < self._ahead:
            piece = self._order.popleft()
            if piece in self._uses and piece not in self._asked:
                self._ask(piece)
                ahead += 1

    def _make_room(self) -> None:
        """Forget those that are needed last; they are asked for again."""
        rows, columns = self._size
        room = max(_MOST // (rows * columns * self._item), 2 * self._ahead)
        while len(self._asked) > room:
            del self._asked[max(self._asked, key=lambda piece: self._uses[piece][0])]

    def _attempt(self, piece: Box) -> Pixels:
        source = self._taken()
        top, left, height, width = piece
        try:
            found = read_pixels(source, self._raster, Window(left, top, width, height))
        except RasterioError as error:
            source.close()
            raise remote_error(
                self._file,
                error,
                f": rows {top} to {top + height - 1}, columns {left} to {left + width - 1}",
            ) from None
        self._free.put(source)
        return found

    def _taken(self) -> Any:  # noqa: ANN401 - rasterio has no types
        try:
            return self._free.get_nowait()
        except queue.Empty:
            return self._opened()

    def _opened(self) -> Any:  # noqa: ANN401 - rasterio has no types
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                return rasterio.open(self._file.gdal)
        except RasterioError as error:
            raise remote_error(self._file, error) from None


def _piece_size(block: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a piece: one block, or several where they are small."""
    rows, columns = block
    wide = columns * -(-_SIDE // columns)
    high = min(-(-_SIDE // rows), max(1, _STRIP // (rows * wide)))
    return rows * high, wide


def _overlap(start: int, length: int, other: int, other_length: int) -> tuple[slice, slice]:
    """What two stretches share, as counted from the start of each."""
    first, stop = max(start, other), min(start + length, other + other_length)
    return slice(first - start, stop - start), slice(first - other, stop - other)
