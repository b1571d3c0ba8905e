"""Random numbers that depend on the epoch alone, so that a resumed run repeats an unbroken one."""

import random

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn


class EpochSeed(Callback):
    """Reseed python, numpy and torch at the start of each training epoch.

    The state of the random generators is in no checkpoint; without this, a resumed run would draw
    other augmentations and another order of tiles than the unbroken one. With it, an epoch
    depends on ``(seed, epoch, rank)`` and on nothing before. Loader workers take their seeds from
    the main process, so they follow; workers that live on from epoch to epoch
    (``persistent_workers``) keep their own state, which is warned of.

    Args:
        seed: The seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the rest of an epoch that a checkpoint was written in the middle of."""
        self._start(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch."""
        self._start(trainer)

    def _start(self, trainer: Trainer) -> None:
        seed_everything_for(self.seed, trainer.current_epoch, trainer.global_rank)
        fetcher = trainer.fit_loop._data_fetcher
        if fetcher is not None and fetcher.fetched == 0 and fetcher.iterator is not None:
            # Lightning makes the iterator of a run's first epoch before any hook, and those of
            # the later ones after this hook. The early one has drawn its order and its workers'
            # seeds already: make it again, so that every epoch is begun alike.
            iter(fetcher)
        loaders = getattr(trainer.fit_loop._combined_loader, "flattened", [])
        if any(getattr(loader, "persistent_workers", False) for loader in loaders):
            rank_zero_warn(
                "The data loader keeps its workers from epoch to epoch (persistent_workers), and "
                "with them their random state: a resumed run is not exactly equal to an unbroken "
                "one. Set persistent_workers to false where that matters."
            )


def seed_everything_for(seed: int, epoch: int, rank: int) -> None:
    """Seed python, numpy and torch (all devices) with a hash of the three numbers."""
    # A hash, since seed + epoch would make epoch 1 of seed 0 equal to epoch 0 of seed 1.
    words = np.random.SeedSequence([seed, epoch, rank]).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]))
