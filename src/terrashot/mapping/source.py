"""Windows of a scene, streamed from its file."""

from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from terrashot.data.raster import STRICT_READING, read_pixels, reason
from terrashot.errors import DataError
from terrashot.mapping.scene import Scene, opened

_MEGABYTE = 2**20


class TileSource:
    """Reads windows of one scene; a context manager, for one thread.

    Args:
        scene: the scene.
        window_rows: rows of the windows, by which GDAL's cache of blocks is sized: blocks that
            two neighbouring windows share are decoded once.
    """

    def __init__(self, scene: Scene, window_rows: int) -> None:
        self.scene = scene
        self._window_rows = window_rows

    def __enter__(self) -> "TileSource":
        """Open the file.

        Raises:
            DataError: it can't be opened any more.
        """
        scene = self.scene
        self._opening = opened(scene.path)
        self._file: Any = self._opening.__enter__()
        itemsize = np.dtype(self._file.dtypes[0]).itemsize
        blocks = self._window_rows + 2 * self._file.block_shapes[0][0]
        needed = blocks * scene.width * self._file.count * itemsize
        # By GDAL's own default it would be a twentieth of the machine's memory.
        cache = min(max(needed, 64 * _MEGABYTE), 1024 * _MEGABYTE)
        self._env = rasterio.Env(GDAL_CACHEMAX=cache, **STRICT_READING)
        self._env.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._env.__exit__()
        self._opening.__exit__(None, None, None)

    def read(self, top: int, left: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """One window.

        Beyond the scene's lower and right border the picture is mirrored, and nothing is valid.

        Returns:
            image [C, height, width], bytes or float32 in 0..1; which pixels hold data, bool
            [height, width].

        Raises:
            DataError: the file is damaged here.
        """
        scene = self.scene
        rows, columns = min(height, scene.height - top), min(width, scene.width - left)
        window = Window(left, top, columns, rows)
        try:
            raw, valid = read_pixels(self._file, scene.raster, window)
        except RasterioError as error:
            raise DataError(
                f"{scene.path} is damaged: rows {top} to {top + rows - 1}, columns {left} to "
                f"{left + columns - 1} cannot be read ({reason(error)}). Copy or download the file "
                "again; the same command then goes on with what is left."
            ) from error
        pixels = scene.spec.pixels(raw)
        if (rows, columns) != (height, width):
            beyond = ((0, height - rows), (0, width - columns))
            pixels = np.pad(pixels, ((0, 0), *beyond), mode="symmetric")
            valid = np.pad(valid, beyond)
        return pixels, valid
