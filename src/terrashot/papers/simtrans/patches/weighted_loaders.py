"""Loaders of the weak-shot classifier, whatever its units are cut from."""

from collections.abc import Sequence
from typing import Any

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from terrashot.data.loaders import default_workers
from terrashot.data.sampling import EpochSampler
from terrashot.papers.simtrans.patches.sampler import PassSampler
from terrashot.papers.simtrans.patches.units import UnitSet
from terrashot.threads import available_cores


class WeightedLoaders(LightningDataModule):
    """Training and test units as loaders.

    Args:
        windows: Training units; a unit's number is what its weight is kept under.
        test: Test units.
        batch_sizes: Units a batch and process in each pass of an epoch.
        seed: Of the run.
        num_workers: Worker processes a loader; None chooses.
    """

    def __init__(
        self,
        windows: UnitSet,
        test: UnitSet,
        batch_sizes: Sequence[int],
        seed: int = 0,
        num_workers: int | None = None,
    ) -> None:
        super().__init__()
        self.windows, self.test = windows, test
        self.batch_sizes = list(batch_sizes)
        self.seed = seed
        self.num_workers = num_workers

    @property
    def first_pass(self) -> int:
        """Batches of this process in the first pass of an epoch."""
        return self._sampler().batches(0)

    @property
    def workers(self) -> int:
        """Worker processes of a loader."""
        if self.num_workers is not None:
            return self.num_workers
        return default_workers(available_cores() // self._place[1], False)

    def train_dataloader(self) -> DataLoader[Any]:
        """Pass after pass, shuffled and augmented by seed and epoch alone."""
        return self._loader(self.windows, batch_sampler=self._sampler())

    def test_dataloader(self) -> DataLoader[Any]:
        """Each test unit on one process."""
        rank, world_size = self._place
        sampler = EpochSampler(
            len(self.test), self.seed, rank=rank, world_size=world_size, surplus="none"
        )
        return self._loader(self.test, sampler=sampler, batch_size=64)

    def _sampler(self) -> PassSampler:
        rank, world_size = self._place
        return PassSampler(
            len(self.windows), self.batch_sizes, self.seed, rank=rank, world_size=world_size
        )

    @property
    def _place(self) -> tuple[int, int]:
        """Rank and number of processes."""
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)

    def _loader(self, units: UnitSet, **how: Any) -> DataLoader[Any]:  # noqa: ANN401
        workers = self.workers
        return DataLoader(
            units,  # type: ignore[arg-type]
            num_workers=workers,
            persistent_workers=workers > 0,
            **how,
        )
