"""A side of ``benchmark_peers.py``: ``experiment=stage1``, its trainer, loggers and progress."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from benchmark_training import CONFIGS, make_data, make_module
from benchmarking.peer_tiles import parameters_of
from benchmarking.turns import Turns, run_side
from terrashot.app.config.compose import compose_settings
from terrashot.app.run.build import build_trainer
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.loggers import build_loggers
from terrashot.app.tasks.base_segmentation import BaseSegmentationSettings
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed


class Ticker(Callback):
    """Ticks before each batch."""

    def __init__(self, turns: Turns, **facts: Any) -> None:  # noqa: ANN401 - plain values
        self._turns, self._facts = turns, facts

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's interface
        batch_idx: int,
    ) -> None:
        """One step less."""
        self._turns.tick(**self._facts)


def settings_of(job: dict[str, Any]) -> BaseSegmentationSettings:
    """``experiment=stage1`` on the tiles of the comparison, without augmentation."""
    settings = compose_settings(
        CONFIGS,
        [
            "experiment=stage1",
            "data=demo",
            f"data.root={job['root']}",
            f"data.batch_size={job['batch']}",
            f"data.crop={job['crop']}",
            "data.num_workers=0",
            "data.cache=false",
            "augmentation=none",
            "backbone=timm",
            f"backbone.name={job['backbone']}",
            "decoder=unet",
            f"optimizer.lr={job['lr']}",
            f"trainer.accelerator={job['device']}",
            f"trainer.precision={job['precision']}",
            "trainer.gradient_clip_val=null",
            "trainer.limit_val_batches=0",
            "trainer.max_epochs=100000",
            "logger=csv",
        ],
    )
    assert isinstance(settings, BaseSegmentationSettings)
    return settings


def train(job: dict[str, Any], turns: Turns) -> None:
    """Train until the turns end."""
    torch.set_num_threads(job["threads"])
    settings = settings_of(job)
    module = make_module(settings)
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        ticker = Ticker(turns, parameters=parameters_of(module))
        callbacks = [EpochSeed(settings.seed), console_progress(), ticker]
        loggers = build_loggers(settings, folder)
        build_trainer(settings, folder.path, loggers, callbacks).fit(module, make_data(settings))


if __name__ == "__main__":
    run_side(train)
