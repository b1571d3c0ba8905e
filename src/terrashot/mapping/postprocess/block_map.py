"""A class map that is read and written block by block, in memory or on disk."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrashot.full_disk import full_disk_told, is_full
from terrashot.taxonomy import IGNORE

NODATA = IGNORE
"""255, the value of a pixel without a class, and of everything beyond the map."""


@dataclass(frozen=True)
class Block:
    """A rectangle of a map, in pixels."""

    top: int
    left: int
    height: int
    width: int


def blocks_of(shape: tuple[int, int], side: int) -> Iterator[Block]:
    """The squares of ``side`` pixels that cover a map [H, W], row by row from the upper left."""
    height, width = shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield Block(top, left, min(side, height - top), min(side, width - left))


class BlockMap:
    """Class ids, uint8 [H, W].

    Args:
        shape: Height and width.
        folder: Where the map lies as a plain file, which goes with the object; None: in
            memory. A file is mapped anew for each access, so its pages never add up in memory.

    Raises:
        FullDiskError: the folder's disk has no room for the file.
    """

    def __init__(self, shape: tuple[int, int], folder: Path | None = None) -> None:
        self.shape = shape
        self.folder = folder
        self._array: np.ndarray | None = None
        self._file = None
        if folder is None:
            self._array = np.empty(shape, dtype=np.uint8)
        else:
            # Without a name, so that it is gone with the process, however that ends.
            with full_disk_told(folder, shape[0] * shape[1]):
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
                self._file.truncate(shape[0] * shape[1])
                _reserve(self._file.fileno(), shape[0] * shape[1])

    @classmethod
    def of(cls, array: np.ndarray) -> "BlockMap":
        """A map in memory; the array is shared, not copied."""
        found = cls((0, 0))
        found.shape = (array.shape[0], array.shape[1])
        found._array = array
        return found

    def like(self) -> "BlockMap":
        """Another map of the same size, kept in the same way, not yet written."""
        return BlockMap(self.shape, self.folder)

    def read(self, block: Block, halo: int = 0) -> np.ndarray:
        """A copy of the block and of ``halo`` pixels around it, ``NODATA`` beyond the map."""
        top, left = block.top - halo, block.left - halo
        bottom, right = block.top + block.height + halo, block.left + block.width + halo
        rows = slice(max(top, 0), min(bottom, self.shape[0]))
        columns = slice(max(left, 0), min(right, self.shape[1]))
        values = self._open()[rows, columns]
        if values.shape == (bottom - top, right - left):
            return np.array(values)
        whole = np.full((bottom - top, right - left), NODATA, dtype=np.uint8)
        whole[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
            values
        )
        return whole

    def write(self, block: Block, values: np.ndarray) -> None:
        """Set the pixels of a block [height, width]."""
        target = self._open()
        target[block.top : block.top + block.height, block.left : block.left + block.width] = values

    def array(self) -> np.ndarray:
        """The whole map in memory."""
        return self.read(Block(0, 0, *self.shape))

    def _open(self) -> np.ndarray:
        if self._array is not None:
            return self._array
        assert self._file is not None
        return np.memmap(self._file, dtype=np.uint8, mode="r+", shape=self.shape)


def _reserve(file: int, size: int) -> None:
    """Take the room of a file at once: a write to a mapped page without any ends the process."""
    if not hasattr(os, "posix_fallocate") or not size:
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if is_full(error):
            raise  # else the file system can't do it
