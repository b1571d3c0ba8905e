"""Loaders of a run that may have several processes, each of which takes its part."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from terrashot.data.sampling import EpochSampler
from terrashot.data.tiles import collate
from terrashot.threads import available_cores


class Loaders(LightningDataModule):
    """What every data module makes its loaders with.

    Samplers know their rank, so the Trainer must not wrap them:
    ``Trainer(use_distributed_sampler=False)``. It tells them the epoch through ``set_epoch``.

    Args:
        batch_size: samples a step and rank in training.
        eval_batch_size: samples a step and rank in validation.
        num_workers: worker processes a loader; None chooses by cores and ranks.
        pin_memory: None: when there is a CUDA device.
        seed: the run's seed; order and augmentation follow from it.
    """

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int,
        num_workers: int | None,
        pin_memory: bool | None,
        seed: int,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.seed = seed

    def _training(self, dataset: Dataset[Any]) -> DataLoader[Any]:
        """Samples shuffled and augmented by (seed, epoch); ranks get equal counts."""
        sampler = self._sampler(len(dataset), "wrap", shuffle=True)  # type: ignore[arg-type]
        return self._loader(
            dataset,
            sampler,
            self.batch_size,
            # A last batch of one sample has no variance for a batch norm over pooled features.
            drop_last=len(sampler) > self.batch_size,
        )

    def _validation(self, dataset: Dataset[Any]) -> DataLoader[Any]:
        """Each sample once, whatever the number of ranks."""
        sampler = self._sampler(len(dataset), "filler")  # type: ignore[arg-type] # all have one
        return self._loader(dataset, sampler, self.eval_batch_size)

    def _loader(
        self,
        dataset: Dataset[Any],
        sampler: Sampler[Any],
        batch_size: int,
        drop_last: bool = False,
        collate_fn: Callable[[Any], Any] | None = None,
    ) -> DataLoader[Any]:
        workers = self.num_workers
        if workers is None:
            cores = available_cores() // self._local_ranks()
            workers = default_workers(cores, torch.cuda.is_available())
        workers = min(workers, len(dataset))  # type: ignore[arg-type] # all of ours have one
        pinned = torch.cuda.is_available() if self.pin_memory is None else self.pin_memory
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers > 0 else None,
            pin_memory=pinned,
            collate_fn=collate_fn or collate,
            # A loader draws from the global generator otherwise, and the network's own draws
            # would depend on how many loaders were started before.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def _sampler(
        self, size: int, surplus: Literal["wrap", "filler", "none"], shuffle: bool = False
    ) -> EpochSampler:
        """A sampler for the rank of this process in the run it belongs to."""
        rank, world_size = self._place()
        return EpochSampler(
            size, self.seed, shuffle=shuffle, rank=rank, world_size=world_size, surplus=surplus
        )

    def _place(self) -> tuple[int, int]:
        """Rank of this process and number of processes in the run it belongs to."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _local_ranks(self) -> int:
        """Processes of the run on this machine."""
        return 1 if self.trainer is None else max(1, self.trainer.num_devices)


def default_workers(cores: int, gpu: bool) -> int:
    """Worker processes that suit a rank with ``cores`` processor cores to itself.

    On two cores the network itself needs both, and a worker would only take turns with it; next
    to a GPU even one core is better spent on the next batch.
    """
    if cores <= 2:
        return 1 if gpu else 0
    return min(cores - 1, 8)
