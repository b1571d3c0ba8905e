"""The fixed list of episodes that a fold is scored on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from terrashot.data.tiles import Sample, TileDataset
from terrashot.errors import DataError


class FoldEpisode(NamedTuple):
    """A class, a query image and its support images, the first of them for one shot."""

    class_id: int
    query: int
    supports: tuple[int, ...]


def fold_episodes(
    shown: Mapping[int, Sequence[int]], count: int, seed: int, shots: int
) -> list[FoldEpisode]:
    """Draw episodes: a class, then different images that show it.

    Episode ``i`` depends on ``seed`` and ``i`` alone, so a shorter list is the beginning of a
    longer one, and every method is scored on the very same images.

    Source: the protocol of Shaban et al., "One-Shot Learning for Semantic Segmentation", 2017.

    Args:
        shown: The images that show each novel class.
        count: How many.
        seed: Of the draws.
        shots: Support images of an episode; all others where a class has fewer.

    Raises:
        DataError: a class has fewer than two images.
    """
    few = {class_id: len(images) for class_id, images in shown.items() if len(images) < 2}
    if few:
        listed = ", ".join(f"class {class_id}: {number}" for class_id, number in few.items())
        raise DataError(
            f"An episode takes two images of a novel class, but val.txt has {listed}. List more "
            "images, or lower episodes.min_pixels."
        )
    episodes = []
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        class_id = int(generator.choice(list(shown)))
        query, *supports = generator.permutation(np.asarray(shown[class_id]))[: shots + 1].tolist()
        episodes.append(FoldEpisode(class_id, query, tuple(supports)))
    return episodes


class FoldQuery(Sample):
    """A query image with its episode."""

    episode: FoldEpisode


class FoldQueries(Dataset[FoldQuery]):
    """The queries of a list of episodes, whole images.

    Args:
        tiles: The images that episodes are drawn from.
        episodes: The list.
    """

    def __init__(self, tiles: TileDataset, episodes: Sequence[FoldEpisode]) -> None:
        self.tiles = tiles
        self.episodes = episodes

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.episodes)

    def __getitem__(self, key: tuple[int, int]) -> FoldQuery:
        """The query of an episode; what a sampler draws beside its number has no meaning here."""
        episode = self.episodes[key[0]]
        return {**self.tiles[episode.query], "episode": episode}
