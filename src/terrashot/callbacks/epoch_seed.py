"""Random numbers that depend on the epoch alone, so that a resumed run repeats an unbroken one."""

import random

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class EpochSeed(Callback):
    """Reseed python, numpy and torch at the start of each training epoch.

    The state of the random generators is in no checkpoint; without this, dropout and drop path
    would go on differently in a resumed run. With it, an epoch depends on ``(seed, epoch, rank)``
    and on nothing before. The data module does the same for the order and the augmentation of
    tiles, whatever the number of its workers; its loaders draw from generators of their own, since
    Lightning makes a loader's iterator before these hooks in one epoch and after them in another.

    Args:
        seed: The seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the first epoch after a resume, for which Lightning skips the hook below."""
        seed_everything_for(self.seed, trainer.current_epoch, trainer.global_rank)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch."""
        seed_everything_for(self.seed, trainer.current_epoch, trainer.global_rank)


def seed_everything_for(seed: int, epoch: int, rank: int) -> None:
    """Seed python, numpy and torch (all devices) with a hash of the three numbers."""
    # A hash, since seed + epoch would make epoch 1 of seed 0 equal to epoch 0 of seed 1.
    words = np.random.SeedSequence([seed, epoch, rank]).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]))
