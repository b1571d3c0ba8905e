"""Batches of noisy novel units among those of base units."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from terrashot.data.sampling import sample_seed
from terrashot.papers.simtrans.patches.sampler import PairBatchSampler


class NoisyBatches(Sampler[list[tuple[int, int]]]):
    """Base batches, and among them some of novel units, no two of which share their noisy label.

    All pairs of such a batch but those of a unit with itself are of unlike classes, whatever a
    wrong label says: most wrong labels hide a class of no other unit of the batch.

    Source: SimTrans' ``noisy_frac``, 0 in its script.

    Args:
        base: Batches of the base units.
        novel_labels: Noisy class of each novel unit ``[m]``.
        offset: Number that the first novel unit has; base units come before.
        batch_size: Most units of a batch; there are no more than classes.
        share: Novel batches for one base batch; their number is rounded down.
    """

    def __init__(
        self,
        base: PairBatchSampler,
        novel_labels: np.ndarray,
        offset: int,
        batch_size: int,
        share: float,
    ) -> None:
        self._base = base
        self._offset = offset
        self._batch_size = batch_size
        self._extra = int(len(base) * share + 1e-9)
        labels = np.asarray(novel_labels)
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    @property
    def sampler(self) -> "NoisyBatches":
        """Itself: the Trainer looks here for what it tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass yields."""
        self._base.set_epoch(epoch)

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        return len(self._base) + self._extra

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """The batches of this process in the chosen epoch, novel ones at random places."""
        base, epoch = self._base, self._base.epoch
        random = np.random.default_rng([base.seed, epoch, 3, base.rank])
        is_novel = random.permutation(np.arange(len(self)) < self._extra)
        batches = iter(base)
        for novel in is_novel.tolist():
            yield self._draw(random, base.seed, epoch) if novel else next(batches)

    def _draw(self, random: np.random.Generator, seed: int, epoch: int) -> list[tuple[int, int]]:
        classes = random.permutation(len(self._members))[: self._batch_size]
        chosen = [self._offset + int(random.choice(self._members[c])) for c in classes]
        return [(i, sample_seed(seed, epoch, i)) for i in chosen]
