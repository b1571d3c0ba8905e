"""Which class, which support tile and which query tile come next."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from terrashot.data.sampling import sample_seed
from terrashot.data.tiles import FILLER
from terrashot.papers.sg_one.episodes.index import EpisodeIndex


class Episode(NamedTuple):
    """One episode: numbers of its tiles, and the seed of its windows and augmentation."""

    class_id: int
    support: int
    query: int
    seed: int


class EpisodeSampler(Sampler[Episode]):
    """Episodes as a function of (seed, epoch, number) only.

    Classes are drawn evenly, then two different tiles that show the class. Processes take turns
    in one and the same list.

    Args:
        index: What can be drawn.
        count: Episodes an epoch, over all processes.
        seed: Of the draws.
        fixed: The same list in every epoch, for evaluation.
        rank: Which process this is.
        world_size: How many processes share an epoch.
    """

    def __init__(
        self,
        index: EpisodeIndex,
        count: int,
        seed: int = 0,
        *,
        fixed: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.index = index
        self.count = count
        self.seed = seed
        self.fixed = fixed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass yields; the Trainer calls it."""
        self.epoch = 0 if self.fixed else epoch

    def __len__(self) -> int:
        """Episodes of this process in an epoch."""
        return -(-self.count // self.world_size)  # all make as many steps

    def __iter__(self) -> Iterator[Episode]:
        """The episodes of this process in the chosen epoch.

        Beyond the end of a fixed list come fillers, whose masks are ignored: each episode of the
        list counts once.
        """
        for step in range(len(self)):
            number = step * self.world_size + self.rank
            episode = self.draw(number)
            beyond = self.fixed and number >= self.count
            yield episode._replace(seed=FILLER) if beyond else episode

    def draw(self, number: int) -> Episode:
        """An episode of the chosen epoch by its number."""
        generator = np.random.default_rng([self.seed, self.epoch, number])
        class_id = int(generator.choice(self.index.classes))
        support, query = generator.choice(self.index.tiles_of(class_id), size=2, replace=False)
        return Episode(
            class_id, int(support), int(query), sample_seed(self.seed, self.epoch, number)
        )
