"""Labelled windows that say what pretraining has learned; nothing is trained on them."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from terrashot.data.tiles import FILLER, TileDataset
from terrashot.errors import DataError
from terrashot.papers.false.windows.two_views import TwoViews
from terrashot.papers.false.windows.unlabelled_windows import check_sizes
from terrashot.taxonomy import IGNORE

NO_CLASS = -1
"""Class of a filler window, which keeps ranks in step and counts nowhere."""
_DOMINANT = 0.5


class ProbeWindows(Dataset[dict[str, Any]]):
    """Windows of a grid in which one base class covers at least half of the pixels.

    The choice depends on the tiles alone, not on the run's seed: runs are compared on the same
    windows. Background and novel classes are no classes here.

    Args:
        tiles: decoded tiles with ``base_only``.
        views: makes the two views.
        window: side of a window in pixels.
        per_tile: windows of a tile at most.

    Attributes:
        places: tile, top, left and class of each window.
        rounds: which of its tile's windows each one is, counted from 0.

    Raises:
        DataError: a tile is smaller than the window, or no window has a dominant class.
    """

    def __init__(self, tiles: TileDataset, views: TwoViews, window: int, per_tile: int) -> None:
        check_sizes(tiles.tiles, window)
        self.tiles = tiles
        self.views = views
        self.window = window
        self.places: list[tuple[int, int, int, int]] = []
        self.rounds: list[int] = []
        for index in range(len(tiles)):
            found = self._dominated(index)
            order = np.random.default_rng(index).permutation(len(found))[:per_tile]
            self.places += [found[i] for i in order]
            self.rounds += range(len(order))
        if not self.places:
            raise DataError(
                f"No window of {window} px of the {len(tiles)} tiles on stage1_val.txt is half "
                "covered by one base class, so there is nothing to probe the encoder on. Set "
                "pretraining.window lower, or pretraining.probe_windows=0 for no probe."
            )

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.places)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """One window.

        ``image`` float32 [3, size, size], the whole window; ``views`` [2, 3, size, size], the same
        ones each time; ``label`` its class; ``tile``, ``round`` and ``index`` as numbers; ``name``.
        """
        index, seed = key if isinstance(key, tuple) else (key, None)
        tile, top, left, label = self.places[index]
        pixels = torch.from_numpy(self.tiles.load(tile)[0])
        window = pixels[:, top : top + self.window, left : left + self.window]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(index)
            views = self.views(window)
        return {
            "image": self.views.whole(window),
            "views": views,
            "label": torch.tensor(NO_CLASS if seed == FILLER else label),
            "tile": torch.tensor(tile),
            "round": torch.tensor(self.rounds[index]),
            "index": torch.tensor(index),
            "name": self.tiles.tiles[tile].name,
        }

    def _dominated(self, index: int) -> list[tuple[int, int, int, int]]:
        label = self.tiles.label(index)
        places = []
        for top in range(0, label.shape[0] - self.window + 1, self.window):
            for left in range(0, label.shape[1] - self.window + 1, self.window):
                part = label[top : top + self.window, left : left + self.window]
                counts = np.bincount(part.reshape(-1), minlength=256)
                counts[[0, IGNORE]] = 0
                if counts.max() >= _DOMINANT * part.size:
                    places.append((index, top, left, int(counts.argmax())))
        return places
