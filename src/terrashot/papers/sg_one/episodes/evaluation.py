"""The fixed list of episodes that novel classes are evaluated on."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from terrashot.errors import DataError
from terrashot.taxonomy import Taxonomy


class NovelEpisode(NamedTuple):
    """A query tile and the support tile shown for a novel class, by its number in the class."""

    class_id: int
    shot: int


def evaluation_episodes(
    pixels: Mapping[str, np.ndarray],
    shots: Mapping[int, int],
    taxonomy: Taxonomy,
    count: int,
    seed: int,
    min_pixels: int,
) -> dict[str, Counter[NovelEpisode]]:
    """Draw ``count`` episodes: a novel class, a query tile that shows it, one of its shots.

    The list depends on ``seed`` and the labels alone. An episode that is drawn again counts again,
    and need not be computed again.

    Args:
        pixels: Labelled pixels of each class [K] by query tile; tiles without a label are absent.
        shots: Support tiles of each novel class id.
        taxonomy: The classes.
        count: How many.
        seed: Of the draws.
        min_pixels: A query tile shows a class with at least so many pixels.

    Returns:
        By query tile: how often each episode was drawn.

    Raises:
        DataError: no query tile shows any novel class.
    """
    queries: dict[int, Sequence[str]] = {}
    for class_id in taxonomy.novel_ids:
        queries[class_id] = sorted(n for n, c in pixels.items() if c[class_id] >= min_pixels)
        if not queries[class_id]:
            warnings.warn(
                f"no query tile has {min_pixels} labelled pixels of the novel class "
                f"'{taxonomy.names[class_id]}' (episodes.min_pixels), so it has no episode.",
                stacklevel=2,
            )
    classes = [i for i, names in queries.items() if names]
    if not classes:
        raise DataError(
            f"None of the {len(pixels)} labelled query tiles shows a novel class with "
            f"{min_pixels} pixels or more, so there is nothing to evaluate. Where the labels of "
            "the split are withheld, take data.split=val; else lower episodes.min_pixels."
        )
    drawn: dict[str, Counter[NovelEpisode]] = {}
    generator = np.random.default_rng(seed)
    for _ in range(count):
        class_id = int(generator.choice(classes))
        query = str(generator.choice(queries[class_id]))
        shot = int(generator.integers(shots[class_id]))
        drawn.setdefault(query, Counter())[NovelEpisode(class_id, shot)] += 1
    return drawn
