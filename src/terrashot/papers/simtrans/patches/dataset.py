"""Windows as samples."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from terrashot.data.tiles import TileDataset
from terrashot.image_spec import as_unit
from terrashot.papers.simtrans.patches.grid import Patch


class Unit(TypedDict):
    """What is compared or classified: a window or a pixel.

    ``input`` float32 [C, S, S] of a window or [C] of a pixel, ``label`` its class id, ``index``
    its number in the data set.
    """

    input: Tensor
    label: int
    index: int


class PatchDataset(Dataset[Unit]):
    """Windows of tiles.

    ``dataset[index]`` or ``dataset[index, seed]``; with a seed the transform draws from it alone.

    Args:
        tiles: The tiles; their own transform is not used.
        patches: The windows.
        size: Their side in pixels.
        transform: As that of ``TileDataset``; gets the window and must keep its size.

    Attributes:
        labels: Class id of each window as given, int64 ``[n]``.
        groups: Number of its tile, int64 ``[n]``.
    """

    def __init__(
        self,
        tiles: TileDataset,
        patches: Sequence[Patch],
        size: int,
        transform: Callable[[Any, Any], tuple[Any, Any]] | None = None,
    ) -> None:
        self.tiles = tiles
        self.patches = list(patches)
        self.size = size
        self.transform = transform
        self.labels = np.array([p.label for p in self.patches], dtype=np.int64)
        self.groups = np.array([p.tile for p in self.patches], dtype=np.int64)

    @property
    def clean(self) -> np.ndarray:
        """Which labels are right, bool ``[n]``; for evaluation alone."""
        return np.array([p.is_clean for p in self.patches], dtype=bool)

    def plain(self) -> "PatchDataset":
        """The same windows without augmentation."""
        return PatchDataset(self.tiles, self.patches, self.size)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.patches)

    def __getitem__(self, key: int | tuple[int, int]) -> Unit:
        """The sample at ``index`` or ``(index, seed)``.

        Raises:
            DataError: a tile is damaged.
        """
        index, seed = key if isinstance(key, tuple) else (key, None)
        patch, size = self.patches[index], self.size
        image, label = self.tiles.load(patch.tile)
        rows, columns = slice(patch.top, patch.top + size), slice(patch.left, patch.left + size)
        window = torch.from_numpy(image[:, rows, columns].copy())
        if self.transform is not None and seed is not None:
            mask = torch.from_numpy(label[rows, columns].copy())
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                window, _ = self.transform(window, mask)
        return {"input": as_unit(window), "label": patch.label, "index": index}
