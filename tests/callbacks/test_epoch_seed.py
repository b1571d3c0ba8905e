import random

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, Dataset

from terrashot.callbacks.checkpoint_io import AtomicCheckpointIO
from terrashot.callbacks.epoch_seed import EpochSeed, seed_everything_for


class _Numbers(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.full((4,), float(index))


class _Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        return self.net(batch / 10).pow(2).mean()

    def validation_step(self, batch, batch_idx):
        torch.rand(3)
        self.log("val/x", self.net(batch).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


class _PowerCut(Exception):
    pass


class _Killer(pl.Callback):
    """Ends the run in the middle of epoch 2."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (2, 1):
            raise _PowerCut


def _train(folder, saving, seed, extra=(), resume=None):
    torch.manual_seed(0)
    model = _Net()
    # Whatever happened before the training must not matter.
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    checkpoints = ModelCheckpoint(folder, save_last=True, save_top_k=-1, **saving)
    trainer = pl.Trainer(
        max_epochs=4,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EpochSeed(7), checkpoints, *extra],
        plugins=[AtomicCheckpointIO()],
    )
    # As in the data module: loaders that draw from a generator of their own.
    own = torch.Generator()
    loaders = (DataLoader(_Numbers(), 3, generator=own), DataLoader(_Numbers(), 6, generator=own))
    try:
        trainer.fit(model, *loaders, ckpt_path=resume)
    except _PowerCut:
        assert extra
    return model.state_dict()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("at_train_end", [True, False])
def test_a_run_killed_in_an_epoch_and_resumed_ends_like_an_unbroken_one(tmp_path, at_train_end):
    saving = {"save_on_train_epoch_end": at_train_end}
    unbroken = _train(tmp_path / "a", saving, seed=1)
    killed = _train(tmp_path / "b", saving, seed=2, extra=[_Killer()])
    last = tmp_path / "b" / "last.ckpt"
    resumed = _train(tmp_path / "b", saving, seed=3, resume=last)
    assert all(torch.equal(unbroken[k], resumed[k]) for k in unbroken)
    assert not all(torch.equal(unbroken[k], killed[k]) for k in unbroken)


def test_epochs_ranks_and_seeds_draw_differently_and_repeat_exactly():
    def draw(*numbers):
        seed_everything_for(*numbers)
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    runs = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (1, 1, 0)]
    draws = [draw(*numbers) for numbers in runs]
    assert draws == [draw(*numbers) for numbers in runs]
    assert all(len({d[k] for d in draws}) == len(runs) for k in range(3))
