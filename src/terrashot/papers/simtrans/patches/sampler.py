"""Batches for comparing pairs, and plain ones."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from terrashot.data.sampling import sample_seed
from terrashot.errors import DataError


class PairBatchSampler(Sampler[list[tuple[int, int]]]):
    """Batches of a few classes each, so that a fair share of the pairs is positive.

    A batch chooses up to ``classes`` of those that still have unused units and draws its units one
    by one from a random one of them, without replacement; it is shorter where they run dry. A unit
    comes twice in an epoch only once fewer than two classes are left: then all start again, since
    a batch of one class has no negative pair. Yields ``(index, seed)`` as a function of seed and
    epoch alone.

    Args:
        labels: Class of each unit ``[n]``.
        batch_size: Units a batch, B.
        classes: M.
        seed: Of the run.
        rank: Which process this is.
        world_size: How many share the batches of an epoch; all get as many.
        batches: Batches of an epoch over all processes; None: floor(n / B).

    Raises:
        DataError: fewer than two classes, or fewer than two units.
    """

    def __init__(
        self,
        labels: Sequence[int] | np.ndarray,
        batch_size: int,
        classes: int,
        seed: int = 0,
        *,
        rank: int = 0,
        world_size: int = 1,
        batches: int | None = None,
        least_classes: int = 2,
    ) -> None:
        self._labels = np.asarray(labels)
        self._batch_size = batch_size
        self._classes = classes
        self._seed = seed
        self._rank, self._world_size = rank, world_size
        self._least = least_classes
        found = sorted(set(self._labels.tolist()))
        if len(found) < least_classes or len(self._labels) < 2 or classes < least_classes:
            raise DataError(
                f"pairs: there are {len(self._labels)} units of the class ids {found}, of which a "
                f"batch takes {classes}; units of at least {least_classes} classes are needed, or "
                "no pair is of unlike classes. Hold fewer classes out (units.held_out), take "
                "smaller windows (data.window), or raise units.classes."
            )
        total = len(self._labels) // batch_size if batches is None else batches
        self._batches = max(1, total // world_size)
        self.epoch = 0

    @property
    def seed(self) -> int:
        """Of the run."""
        return self._seed

    @property
    def rank(self) -> int:
        """Which process this is."""
        return self._rank

    @property
    def sampler(self) -> "PairBatchSampler":
        """Itself: the Trainer looks here for what it tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass yields."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        return self._batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """The batches of this process in the chosen epoch."""
        random = np.random.default_rng([self._seed, self.epoch])
        pools = self._pools(random)
        for number in range(self._batches * self._world_size):
            if sum(1 for pool in pools.values() if pool) < self._least:
                pools = self._pools(random)
            batch = self._draw(pools, random)
            if number % self._world_size == self._rank:
                yield [(i, sample_seed(self._seed, self.epoch, i)) for i in batch]

    def _pools(self, random: np.random.Generator) -> dict[int, list[int]]:
        """All units of each class, shuffled."""
        return {
            int(label): random.permutation(np.flatnonzero(self._labels == label)).tolist()
            for label in np.unique(self._labels)
        }

    def _draw(self, pools: dict[int, list[int]], random: np.random.Generator) -> list[int]:
        alive = [label for label, pool in pools.items() if pool]
        chosen = random.permutation(alive)[: self._classes].tolist()
        # One of each first, so that no batch is of a single class by chance.
        batch = [pools[label].pop() for label in chosen[: self._batch_size]]
        while len(batch) < self._batch_size:
            chosen = [label for label in chosen if pools[label]]
            if not chosen:
                break
            batch.append(pools[int(random.choice(chosen))].pop())
        return batch


class PassSampler(Sampler[list[tuple[int, int]]]):
    """Shuffled batches of one or several passes over a set, each pass with a size of its own.

    Yields ``(index, seed)`` as a function of seed, epoch and pass alone. Processes get as many
    batches each; the last units are filled up from the start of the order.

    Args:
        size: Number of units.
        batch_sizes: Units a batch and process in each pass of an epoch.
        seed: Of the run.
        rank: Which process this is.
        world_size: How many share a pass.
    """

    def __init__(
        self,
        size: int,
        batch_sizes: Sequence[int],
        seed: int = 0,
        *,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._size = size
        self._batch_sizes = [min(b, size) for b in batch_sizes]
        self._seed = seed
        self._rank, self._world_size = rank, world_size
        self.epoch = 0

    @property
    def sampler(self) -> "PassSampler":
        """Itself: the Trainer looks here for what it tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields."""
        self.epoch = epoch

    def batches(self, number: int) -> int:
        """Batches of this process in a pass."""
        return -(-self._size // (self._batch_sizes[number] * self._world_size))

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        return sum(self.batches(number) for number in range(len(self._batch_sizes)))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """The batches of this process in the chosen epoch, pass after pass."""
        for number, batch_size in enumerate(self._batch_sizes):
            random = np.random.default_rng([self._seed, self.epoch, number])
            whole = self.batches(number) * batch_size * self._world_size
            order = np.resize(random.permutation(self._size), whole)
            own = order.reshape(-1, self._world_size, batch_size)[:, self._rank]
            for batch in own.tolist():
                yield [(i, sample_seed(self._seed + number, self.epoch, i)) for i in batch]
