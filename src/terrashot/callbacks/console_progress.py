"""Progress in the terminal: a live bar where someone watches, plain lines in a log file."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import (
    ProcessingSpeedColumn,
    RichProgressBarTheme,
)
from rich.progress import BarColumn

from terrashot.callbacks.epoch_lines import EpochLines, epoch_line

_SHORT = {
    "train/loss": "loss",
    "train/loss_step": "loss",
    "val/base_miou": "mIoU",
    "val/episode_miou": "mIoU",
    "val/pair_ap": "pair AP",
    "val/knn_accuracy": "kNN",
}


def console_progress() -> ProgressBar:
    """A :class:`LiveBar` on a terminal, :class:`EpochLines` everywhere else."""
    return LiveBar() if sys.stdout.isatty() else EpochLines()


class LiveBar(RichProgressBar):
    """Lightning's rich bar, cut to one line of 80 columns, a line for each past epoch above it."""

    def __init__(self) -> None:
        theme = RichProgressBarTheme(progress_bar="#3b6ea5", progress_bar_finished="#4d9a6a")
        super().__init__(refresh_rate=10, theme=theme)  # ten redraws a second suit the eye
        self._began = 0.0

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """A short bar and no speed: with them, the metrics of an 80-column line would wrap."""
        columns = super().configure_columns(trainer)
        for column in columns:
            if isinstance(column, BarColumn):
                column.bar_width = 14
        return [column for column in columns if not isinstance(column, ProcessingSpeedColumn)]

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Loss and mIoU under short names; the rest stands in the loggers."""
        metrics = super().get_metrics(trainer, pl_module)
        return {_SHORT[name]: value for name, value in metrics.items() if name in _SHORT}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the epoch's line above the bar."""
        super().on_train_epoch_end(trainer, pl_module)
        if self.is_enabled and self.progress is not None:
            line = epoch_line(trainer, time.monotonic() - self._began)
            self.progress.console.print(line, highlight=False, soft_wrap=True)

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning counts from 0 ("0/19"); the lines above the bar count from 1.
        limit = self.trainer.max_epochs or 0
        epoch = f"{current_epoch + 1}/{limit}" if limit > 0 else str(current_epoch + 1)
        return f"Epoch {epoch}".ljust(len(self.validation_description))
