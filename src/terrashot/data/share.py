"""A share of the training tiles, for learning curves over the amount of labels."""

from collections.abc import Sequence

import numpy as np

from terrashot.data.layout import Tile
from terrashot.errors import ConfigError


def share_of(tiles: Sequence[Tile], share: float, seed: int) -> list[Tile]:
    """Choose ``share`` of the tiles by ``seed``, at least one, in the order of the list.

    A smaller share of the same seed is part of a larger one.

    Raises:
        ConfigError: ``share`` is not above 0 and at most 1.
    """
    check_share(share)
    count = max(1, round(share * len(tiles)))
    chosen = np.random.default_rng(seed).permutation(len(tiles))[:count]
    return [tiles[i] for i in sorted(chosen.tolist())]


def check_share(share: float) -> None:
    """Raise a ConfigError unless ``share`` is above 0 and at most 1."""
    if not 0 < share <= 1:
        raise ConfigError(
            f"data.train_share is {share}, but it is a share of the training tiles: above 0, at "
            "most 1. Write data.train_share=0.1 for a tenth."
        )
