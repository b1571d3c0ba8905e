"""Loaders for comparing pairs: base units, novel ones beside them, and those to validate on."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from lightning import LightningDataModule
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader, Dataset, Subset

from terrashot.data.loaders import default_workers
from terrashot.papers.simtrans.patches.dataset import Unit
from terrashot.papers.simtrans.patches.noisy_batches import NoisyBatches
from terrashot.papers.simtrans.patches.sampler import PairBatchSampler
from terrashot.threads import available_cores


class UnitSet(Protocol):
    """Windows or pixels with their labels and the tiles that they come from."""

    labels: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        """Number of units."""
        ...

    def __getitem__(self, key: int | tuple[int, int]) -> Unit:
        """One of them."""
        ...

    def plain(self) -> "UnitSet":
        """The same without augmentation."""
        ...


class UnitSum(Dataset[Unit]):
    """The units of one set, then those of another; each keeps its own number as ``index``."""

    def __init__(self, first: UnitSet, second: UnitSet) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        """Number of units."""
        return len(self._first) + len(self._second)

    def __getitem__(self, key: int | tuple[int, int]) -> Unit:
        """The unit at ``index`` or ``(index, seed)``."""
        index, *seed = key if isinstance(key, tuple) else (key,)
        before = len(self._first)
        units, own = (self._first, index) if index < before else (self._second, index - before)
        return units[(own, seed[0])] if seed else units[own]


class PairDataModule(LightningDataModule):
    """Batches ``{"base": ...}`` or ``{"base": ..., "novel": ...}`` of equal number.

    Validation goes through the same units on every process, since pairs between them count.

    Args:
        train: Clean base units.
        val: Units of other tiles, those of held-out classes among them.
        novel: Novel units for the adversarial term; None: none.
        batch_size: Units a batch and process.
        classes: Classes in a base batch.
        novel_classes: Classes in a novel batch.
        val_per_class: Most validation units of a class.
        seed: Of the run.
        num_workers: Worker processes a loader; None chooses.
        noisy_share: See ``NoisyBatches``.
    """

    def __init__(
        self,
        train: UnitSet,
        val: UnitSet,
        novel: UnitSet | None,
        *,
        batch_size: int,
        classes: int,
        novel_classes: int,
        val_per_class: int,
        seed: int = 0,
        num_workers: int | None = None,
        noisy_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.noisy_share = noisy_share
        self.train, self.val, self.novel = train, val, novel
        self.batch_size = batch_size
        self.classes = classes
        self.novel_classes = novel_classes
        self.seed = seed
        self.num_workers = num_workers
        self.val_indices = chosen_per_class(val.labels, val_per_class, seed)

    def train_dataloader(self) -> CombinedLoader:
        """Pair batches by seed and epoch alone."""
        sampler = self._sampler(self.train.labels, self.classes, None, 2)
        base: PairBatchSampler | NoisyBatches = sampler
        units: UnitSet | UnitSum = self.train
        if self.novel is not None and self.noisy_share:
            units = UnitSum(self.train, self.novel)
            base = NoisyBatches(
                sampler, self.novel.labels, len(self.train), self.batch_size, self.noisy_share
            )
        loaders = {"base": self._loader(units, base)}
        if self.novel is not None:
            total = len(base) * self._world_size
            novel = self._sampler(self.novel.labels, self.novel_classes, total, 1)
            loaders["novel"] = self._loader(self.novel, novel)
        return CombinedLoader(loaders, "min_size")

    def val_dataloader(self) -> DataLoader[Any]:
        """The chosen validation units in order."""
        units: Dataset[Any] = Subset(self.val.plain(), self.val_indices)  # type: ignore[arg-type]
        return DataLoader(units, batch_size=2 * self.batch_size)

    def _sampler(
        self, labels: np.ndarray, classes: int, batches: int | None, least: int
    ) -> PairBatchSampler:
        rank = self.trainer.global_rank if self.trainer is not None else 0
        return PairBatchSampler(
            labels,
            self.batch_size,
            classes,
            self.seed,
            rank=rank,
            world_size=self._world_size,
            batches=batches,
            least_classes=least,
        )

    def _loader(
        self, units: "UnitSet | UnitSum", sampler: PairBatchSampler | NoisyBatches
    ) -> DataLoader[Any]:
        workers = self.num_workers
        if workers is None:
            workers = default_workers(available_cores() // self._world_size, False)
        return DataLoader(
            units,  # type: ignore[arg-type]
            batch_sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer is not None else 1


def chosen_per_class(labels: np.ndarray, count: int, seed: int) -> list[int]:
    """Up to ``count`` units of each class, the same for the same seed, classes ascending."""
    random = np.random.default_rng([seed, 1])
    found: list[int] = []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))[:count]
        found += sorted(int(i) for i in members)
    return found


def held_out_classes(
    wanted: Sequence[str] | None, names: Sequence[str], counts: Sequence[int], least: int = 20
) -> list[int]:
    """Positions of the base classes that SimNet is selected on and never trained on.

    Args:
        wanted: Names; None takes the class, or of six and more the two, and of thirty and more a
            tenth of them, with the fewest units among those that have ``least``, so that training
            loses little.
        names: Of the base classes.
        counts: Validation units of each.
        least: See ``wanted``.
    """
    if wanted is not None:
        return sorted(list(names).index(name) for name in wanted)
    order = sorted((n, i) for i, n in enumerate(counts) if n >= least)
    return sorted(i for _, i in order[: max(2 if len(names) >= 6 else 1, len(names) // 10)])
