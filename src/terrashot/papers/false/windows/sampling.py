"""Which tile a pretraining window comes from, when, on which rank, and with which seed."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from terrashot.errors import ConfigError


class WindowSampler(Sampler[tuple[int, int]]):
    """Yields ``(tile, seed)`` as a function of (seed, epoch) only, whole batches.

    An epoch is ``per_tile`` rounds over the tiles, each in an order of its own. With
    ``one_per_batch``, a batch over all ranks never holds two windows of one tile: neighbours
    mostly show the same land cover and would be the commonest false negatives. What is left of a
    round (of the epoch, without ``one_per_batch``) and fills no batch is left out.

    Args:
        tiles: number of tiles.
        per_tile: windows of a tile in an epoch.
        batch_size: windows a batch and rank.
        seed: the seed of the run.
        rank: which process this is.
        world_size: how many processes share a batch.
        one_per_batch: no two windows of a tile in a batch.

    Raises:
        ConfigError: there are not enough windows for one batch.
    """

    def __init__(
        self,
        tiles: int,
        per_tile: int,
        batch_size: int,
        seed: int = 0,
        *,
        rank: int = 0,
        world_size: int = 1,
        one_per_batch: bool = True,
    ) -> None:
        self.tiles = tiles
        self.per_tile = per_tile
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.one_per_batch = one_per_batch
        self.epoch = 0
        joint = batch_size * world_size
        there = tiles if one_per_batch else tiles * per_tile
        if joint > there:
            more = (
                ", or allow several windows of a tile in a batch with "
                "pretraining.one_window_per_tile=false"
                if one_per_batch
                else " or raise pretraining.windows_per_tile"
            )
            raise ConfigError(
                f"A batch over all processes holds {joint} windows (data.batch_size={batch_size}, "
                f"{world_size} process(es)), but there are {there} "
                f"{'tiles to take one from each' if one_per_batch else 'windows in an epoch'}. "
                f"Lower data.batch_size to {max(2, there // world_size)} or less{more}."
            )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass yields; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of windows this rank gets in an epoch: whole batches."""
        joint = self.batch_size * self.world_size
        if self.one_per_batch:
            return self.tiles // joint * self.per_tile * self.batch_size
        return self.tiles * self.per_tile // joint * self.batch_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Tile and seed of each window of this rank in the chosen epoch."""
        joint = self.batch_size * self.world_size
        windows: list[tuple[int, int]] = []
        for number in range(self.per_tile):
            order = np.random.default_rng([self.seed, self.epoch, number]).permutation(self.tiles)
            if self.one_per_batch:
                order = order[: self.tiles // joint * joint]
            windows += [(int(tile), number) for tile in order]
        for tile, number in windows[self.rank : len(windows) // joint * joint : self.world_size]:
            words = np.random.SeedSequence([self.seed, self.epoch, number, tile])
            yield tile, int(words.generate_state(1, np.uint32)[0])
