"""A side of ``benchmark_peers.py``: torchgeo's SemanticSegmentationTask in Lightning's Trainer."""

import tempfile
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from torchgeo.trainers import SemanticSegmentationTask

from benchmarking.peer_tiles import IGNORE, endless, parameters_of, share_head
from benchmarking.turns import Turns, run_side


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


def train(job: dict[str, Any], turns: Turns) -> None:
    """Train until the turns end."""
    torch.set_num_threads(job["threads"])
    task = SemanticSegmentationTask(
        model="unet",
        backbone=f"tu-{job['backbone']}",
        num_classes=job["classes"],
        ignore_index=IGNORE,
        lr=job["lr"],
    )
    share_head(task.model, job["channels"], job["classes"])
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            accelerator=job["device"],
            devices=1,
            precision=job["precision"],
            default_root_dir=folder,
            logger=CSVLogger(folder),
            log_every_n_steps=10,
            enable_checkpointing=False,
            callbacks=[Ticker(turns, parameters=parameters_of(task))],
        ).fit(task, endless(job))


if __name__ == "__main__":
    run_side(train)
