"""Windows of tiles for pretraining: two views each, no label."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from terrashot.data.layout import Tile
from terrashot.data.reading import image_size
from terrashot.data.tiles import TileDataset
from terrashot.errors import DataError
from terrashot.papers.false.windows.two_views import TwoViews

_DRAWS = 10


class UnlabelledWindows(Dataset[dict[str, Any]]):
    """A random window of a tile, or all of it, and two views of that same window.

    ``dataset[index, seed]`` depends on the tile and the seed alone. Both views come from one
    window: two windows of a tile need not show the same land cover. Pixels that are 0 in all bands
    are taken for no data; a window with too many of them is drawn again, ten times at most, and
    the best one is kept.

    Args:
        tiles: decoded tiles; their labels are never read.
        views: makes the two views.
        window: side of the window in pixels; None: the whole image.
        min_valid: share of the window that must have data.

    Raises:
        DataError: a tile is smaller than the window.
    """

    def __init__(
        self, tiles: TileDataset, views: TwoViews, window: int | None, min_valid: float = 0.9
    ) -> None:
        if window is not None:
            check_sizes(tiles.tiles, window)
        self.tiles = tiles
        self.views = views
        self.window = window
        self.min_valid = min_valid

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.tiles)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        """``views`` float32 [2, 3, size, size] in 0..1, ``name`` of the tile."""
        index, seed = key
        image = torch.from_numpy(self.tiles.load(index)[0])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the GPUs' generators stay as they are
            views = self.views(self._draw(image))
        return {"views": views, "name": self.tiles.tiles[index].name}

    def _draw(self, image: Tensor) -> Tensor:
        if self.window is None:
            return image
        height, width = image.shape[-2:]
        best, share = image[..., : self.window, : self.window], -1.0
        for _ in range(_DRAWS):
            top = int(torch.randint(height - self.window + 1, ()))
            left = int(torch.randint(width - self.window + 1, ()))
            window = image[..., top : top + self.window, left : left + self.window]
            valid = float((window != 0).any(0).float().mean())
            if valid > share:
                best, share = window, valid
            if share >= self.min_valid:
                break
        return best


def check_sizes(tiles: Sequence[Tile], window: int) -> None:
    """Raise a DataError that names the first tile smaller than ``window`` pixels."""
    for tile in tiles:
        height, width = image_size(tile.image)
        if min(height, width) < window:
            raise DataError(
                f"{tile.image} is {width} x {height} pixels, but pretraining.window is {window}. "
                f"Set pretraining.window to {min(height, width)} or less (null: whole images), or "
                "take the tile away."
            )


def collate_views(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack samples; the first views of all come first, then the second views of all.

    Returns:
        ``views`` [2N, 3, size, size]: rows i and i + N are one window. Every other tensor is
        stacked, everything else becomes a list.
    """
    batch: dict[str, Any] = {}
    for key in samples[0]:
        values = [sample[key] for sample in samples]
        batch[key] = torch.stack(values) if isinstance(values[0], Tensor) else values
    batch["views"] = batch["views"].transpose(0, 1).flatten(0, 1)
    return batch
