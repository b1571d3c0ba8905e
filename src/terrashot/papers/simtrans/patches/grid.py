"""What lies in the windows of a tile: positions and pixels a class, from one pass over a label."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from terrashot.data.tiles import TileDataset
from terrashot.errors import ConfigError


@dataclass(frozen=True)
class Patch:
    """A window of a tile that stands for one class.

    Args:
        tile: Number of the tile in its ``TileDataset``.
        top: First row.
        left: First column.
        label: Class id that the window is given, right or wrong.
        truth: Class id that it shows; None where no class covers enough of it.
    """

    tile: int
    top: int
    left: int
    label: int
    truth: int | None

    @property
    def is_clean(self) -> bool:
        """Whether the given label is right."""
        return self.label == self.truth


@dataclass(frozen=True)
class TileWindows:
    """All windows of a tile.

    Args:
        tile: Number of the tile.
        corners: Top and left of each window, int64 ``[n, 2]``.
        counts: Pixels of each class, int64 ``[n, K]``.
        area: Pixels of a window.
    """

    tile: int
    corners: np.ndarray
    counts: np.ndarray
    area: int


def tile_windows(
    tiles: TileDataset, size: int, stride: int | None = None, chosen: list[int] | None = None
) -> Iterator[TileWindows]:
    """The windows of each tile that lie inside it.

    Args:
        tiles: The tiles; their images are not read.
        size: Side of a window in pixels.
        stride: Pixels between windows; None: half a window.
        chosen: Numbers of the tiles to look at; None: all.

    Raises:
        ConfigError: no window, or no step.
        DataError: a label is damaged.
    """
    stride = max(1, size // 2) if stride is None else stride
    if size < 8 or stride < 1:
        raise ConfigError(
            f"data.window is {size} pixels with a stride of {stride}, but a window needs a side of "
            "at least 8 and a stride of at least 1."
        )
    for index in range(len(tiles)) if chosen is None else chosen:
        label = tiles.label(index)
        tops = np.arange(0, label.shape[0] - size + 1, stride)
        lefts = np.arange(0, label.shape[1] - size + 1, stride)
        corners = np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)
        counts = [_sums(label == c, tops, lefts, size) for c in range(tiles.taxonomy.num_classes)]
        yield TileWindows(index, corners, np.stack(counts, axis=-1), size * size)


def _sums(mask: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int) -> np.ndarray:
    """Pixels of a mask in each window ``[n]``, by an integral image."""
    table = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
    table[1:, 1:] = mask.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    low, high = tops[:, None], tops[:, None] + size
    near, far = lefts[None, :], lefts[None, :] + size
    return (table[high, far] - table[low, far] - table[high, near] + table[low, near]).reshape(-1)
