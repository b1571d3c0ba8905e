"""Query tiles for stage 2: with their features where these are kept, else with their image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from terrashot.data.feature_cache import FeatureCache, TileMaps
from terrashot.data.tiles import TileDataset


class QueryTiles(Dataset[dict[str, Any]]):
    """Samples of one tile: ``name``, ``path`` of the image, ``mask`` [H, W], and one of two.

    Either ``image`` float32 [C, H, W], or ``features``, a ``TileMaps`` of the cache for each
    view: then the image is not read at all.

    Args:
        tiles: the tiles, with an ``EvalTransform``.
        cache: features of tiles; None for none.
        views: the views of the image whose features are needed, the image as it is first.
    """

    def __init__(
        self,
        tiles: TileDataset,
        cache: FeatureCache | None = None,
        views: Sequence[tuple[int, ...]] = ((),),
    ) -> None:
        self.tiles = tiles
        self.cache = cache
        self.views = list(views)

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.tiles)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """The sample at ``index`` or ``(index, seed)``; nothing here is random.

        Raises:
            DataError: a file is damaged, or image and label differ in size.
        """
        index = key[0] if isinstance(key, tuple) else key
        tile = self.tiles.tiles[index]
        found = self._load(tile.image)
        if not found:
            return {**self.tiles[index], "path": str(tile.image)}
        return {
            "name": tile.name,
            "path": str(tile.image),
            "mask": self.tiles.mask(index, expected=tuple(found[0].content.shape)),
            "features": found,
        }

    def _load(self, image: Path) -> list[TileMaps]:
        """The features of all views; empty where one of them is not kept."""
        found: list[TileMaps] = []
        for view in self.views if self.cache is not None else ():
            kept = self.cache.load(image, view) if self.cache is not None else None
            if kept is None:
                return []
            found.append(kept)
        return found


def collate_queries(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Batches of one tile each: tiles may differ in size. See ``collate_query``."""
    return [collate_query(sample) for sample in samples]


def collate_query(sample: dict[str, Any]) -> dict[str, Any]:
    """A batch of one tile: tensors get a batch dimension, the name a list.

    Returns:
        ``mask`` [1, H, W], ``name`` and ``path`` lists, and either ``image`` [1, C, H, W] or
        ``features``, the maps [C_i, h_i, w_i] of each view, with ``content`` [H, W] and
        ``feature_seconds``.
    """
    batch = {
        "name": [sample["name"]],
        "path": [sample["path"]],
        "mask": sample["mask"].unsqueeze(0),
    }
    if "image" in sample:
        return {**batch, "image": sample["image"].unsqueeze(0)}
    found: list[TileMaps] = sample["features"]
    return {
        **batch,
        "features": [view.maps for view in found],
        "content": found[0].content,
        "feature_seconds": sum(view.seconds for view in found),
    }
