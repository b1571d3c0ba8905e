"""Query tiles for stage 2: with their features where these are kept, else with their image."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset

from terrashot.data.feature_cache import FeatureCache, TileFeatures
from terrashot.data.tiles import TileDataset


class QueryTiles(Dataset[dict[str, Any]]):
    """Samples of one tile: ``name``, ``path`` of the image, ``mask`` [H, W], and one of two.

    Either ``image`` float32 [3, H, W], or ``features``, a ``TileFeatures`` of the cache: then the
    image is not read at all.

    Args:
        tiles: the tiles, with an ``EvalTransform``.
        cache: features of tiles; None for none.
    """

    def __init__(self, tiles: TileDataset, cache: FeatureCache | None = None) -> None:
        self.tiles = tiles
        self.cache = cache

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
        found = self.cache.load(tile.image) if self.cache is not None else None
        if found is None:
            return {**self.tiles[index], "path": str(tile.image)}
        return {
            "name": tile.name,
            "path": str(tile.image),
            "mask": self.tiles.mask(index, expected=tuple(found.content.shape)),
            "features": found,
        }


def collate_query(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch of one tile: tensors get a batch dimension, the name a list.

    Returns:
        ``mask`` [1, H, W], ``name`` and ``path`` lists, and either ``image`` [1, 3, H, W] or
        ``features`` [C, h, w] with ``content`` [H, W] and ``feature_seconds``.
    """
    (sample,) = samples
    batch = {
        "name": [sample["name"]],
        "path": [sample["path"]],
        "mask": sample["mask"].unsqueeze(0),
    }
    if "image" in sample:
        return {**batch, "image": sample["image"].unsqueeze(0)}
    found: TileFeatures = sample["features"]
    return {
        **batch,
        "features": found.features,
        "content": found.content,
        "feature_seconds": found.seconds,
    }
