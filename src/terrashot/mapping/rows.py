"""Finished rows of a map, kept on disk until the scene is whole."""

import warnings
from pathlib import Path

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from terrashot.errors import DataError
from terrashot.files import atomic_write
from terrashot.full_disk import room, why
from terrashot.mapping.plan import WindowPlan


class RowStore:
    """One small file for each row of windows.

    A file is renamed to its name when it is on the disk as a whole, so that the files are at the
    same time the journal of a run that is killed at any moment, and several processes can write
    rows of the same scene.

    Args:
        folder: holds the files of one scene, mapped with one set of settings.
        plan: the windows of the scene.
    """

    def __init__(self, folder: Path, plan: WindowPlan) -> None:
        self.folder = folder
        self.plan = plan

    def pending(self) -> list[int]:
        """Rows that are not finished yet."""
        return [row for row in range(len(self.plan.rows)) if not self.path(row).is_file()]

    def path(self, row: int) -> Path:
        """The file of a row."""
        return self.folder / f"row_{row:05d}.tif"

    def save(self, row: int, bands: np.ndarray) -> None:
        """Keep a finished row, uint8 [layers, rows, width].

        Raises:
            DataError: there is no space left.
        """
        count, height, width = bands.shape
        profile = {
            "driver": "GTiff",
            "dtype": "uint8",
            "count": count,
            "height": height,
            "width": width,
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 128,
            "interleave": "band",
            "compress": "deflate",
            "zlevel": 1,  # these files are short-lived
        }
        # Through memory: GDAL reports a full disk when it closes a file, which nobody hears.
        with MemoryFile() as memory:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                with memory.open(**profile) as target:
                    target.write(bands)
            content = memory.read()
        try:
            with atomic_write(self.path(row)) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise DataError(
                f"{self.folder} takes no more data: {why(error)}; "
                f"{room(self.folder, len(content))}. Make space; the same command then goes on "
                "with what is left."
            ) from error
