"""Windows of a scene, streamed from its file."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from terrashot.data.raster import STRICT_READING, Raster, read_pixels, reason
from terrashot.data.remote.address import RemoteFile
from terrashot.errors import DataError
from terrashot.mapping.pieces import Box, PieceReader, Pixels
from terrashot.mapping.scene import Scene, opened

_MEGABYTE = 2**20


class TileSource:
    """Reads windows of one scene; a context manager, for one thread.

    Args:
        scene: The scene.
        coming: The windows (row, column, height, width; they may reach beyond the scene) that will
            be read, in order.
        requests: What is asked of a remote scene at once.
    """

    def __init__(self, scene: Scene, coming: Sequence[Box], requests: int = 8) -> None:
        self.scene = scene
        self._coming = coming
        self._requests = requests
        self._stack = ExitStack()

    def __enter__(self) -> "TileSource":
        """Open the file.

        Raises:
            DataError: it can't be opened any more.
        """
        scene, coming = self.scene, self._coming
        self._file: PieceReader | _OpenFile
        if isinstance(scene.path, RemoteFile):
            inside = [self._inside(window) for window in coming]
            reader = PieceReader(scene.raster, inside, self._requests)
            self._file = self._stack.enter_context(reader)
        else:
            rows = max((height for _, _, height, _ in coming), default=0)
            self._file = _OpenFile(scene, rows, self._stack)
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._stack.close()

    def read(self, top: int, left: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """One window.

        Beyond the scene's lower and right border the picture is mirrored, and nothing is valid.

        Returns:
            image [C, height, width], bytes or float32 in 0..1; which pixels hold data, bool
            [height, width].

        Raises:
            DataError: the file is damaged here.
        """
        window = self._inside((top, left, height, width))
        raw, valid = self._file.read(window)
        pixels = self.scene.spec.pixels(raw)
        _, _, rows, columns = window
        if (rows, columns) != (height, width):
            beyond = ((0, height - rows), (0, width - columns))
            pixels = np.pad(pixels, ((0, 0), *beyond), mode="symmetric")
            valid = np.pad(valid, beyond)
        return pixels, valid

    def _inside(self, window: Box) -> Box:
        top, left, height, width = window
        return top, left, min(height, self.scene.height - top), min(width, self.scene.width - left)


class _OpenFile:
    """A file of this machine.

    Args:
        scene: The scene.
        window_rows: Rows of the windows, by which GDAL's cache of blocks is sized: blocks that
            two neighbouring windows share are decoded once.
        stack: Closes it.
    """

    def __init__(self, scene: Scene, window_rows: int, stack: ExitStack) -> None:
        self._raster: Raster = scene.raster
        self._file = stack.enter_context(opened(scene.path))
        itemsize = np.dtype(self._file.dtypes[0]).itemsize
        blocks = window_rows + 2 * self._file.block_shapes[0][0]
        needed = blocks * scene.width * self._file.count * itemsize
        # By GDAL's own default it would be a twentieth of the machine's memory.
        cache = min(max(needed, 64 * _MEGABYTE), 1024 * _MEGABYTE)
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=cache, **STRICT_READING))

    def read(self, window: Box) -> Pixels:
        """A window of the file as it is."""
        top, left, height, width = window
        try:
            return read_pixels(self._file, self._raster, Window(left, top, width, height))
        except RasterioError as error:
            raise DataError(
                f"{self._raster.path} is damaged: rows {top} to {top + height - 1}, columns {left} "
                f"to {left + width - 1} cannot be read ({reason(error)}). Copy or download the "
                "file again; the same command then goes on with what is left."
            ) from error
