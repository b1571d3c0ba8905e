"""Which tile comes when, on which rank, and with which random seed."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from torch.utils.data import Sampler

from terrashot.data.tiles import FILLER


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields ``(index, sample seed)`` as a function of (seed, epoch) only.

    Neither the number of workers nor an interruption changes what an epoch holds: order and
    augmentation of epoch 7 are the same in a run that was resumed at epoch 7.

    Args:
        size: number of tiles.
        seed: the seed of the run.
        shuffle: a new order each epoch.
        rank: which process this is.
        world_size: how many processes share an epoch; together they see every tile.
        surplus: what the ranks do that have a tile less. ``wrap``: repeat tiles from the start
            of the order (training). ``filler``: take a tile with an ignored mask, so that all
            ranks make as many steps and every tile counts once (validation inside a
            distributed run, where a forward pass synchronises). ``none``: stop earlier.
    """

    def __init__(
        self,
        size: int,
        seed: int = 0,
        *,
        shuffle: bool = False,
        rank: int = 0,
        world_size: int = 1,
        surplus: Literal["wrap", "filler", "none"] = "wrap",
    ) -> None:
        self.size = size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.surplus = surplus
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass yields; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of samples this rank gets in an epoch."""
        if self.surplus == "none":
            return len(range(self.rank, self.size, self.world_size))
        return -(-self.size // self.world_size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Index and seed of each sample of this rank in the chosen epoch."""
        order = np.arange(self.size)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        for step in range(len(self)):
            place = step * self.world_size + self.rank
            index = int(order[place % self.size])
            beyond = place >= self.size and self.surplus == "filler"
            yield index, FILLER if beyond else sample_seed(self.seed, self.epoch, index)


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """Seed of the augmentation of a tile in an epoch; distinct triples give unrelated seeds."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1, np.uint32)[0])
