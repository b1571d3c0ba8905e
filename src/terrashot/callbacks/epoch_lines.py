"""Progress as plain lines, for log files."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

_EVERY = 30.0
_SHOWN = (
    "train/loss",
    "train/loss_epoch",
    "val/loss",
    "val/base_miou",
    "val/novel_miou",
    "val/episode_miou",
    "val/pair_ap",
    "val/knn_accuracy",
)


def epoch_line(trainer: Trainer, seconds: float) -> str:
    """What an epoch came to, for example ``epoch 3/20  train/loss 0.4  val/base_miou 0.6  9 s``."""
    limit = trainer.max_epochs or 0
    epoch = f"{trainer.current_epoch + 1}/{limit}" if limit > 0 else f"{trainer.current_epoch + 1}"
    metrics = trainer.callback_metrics
    values = "".join(
        f"  {name.removesuffix('_epoch')} {float(metrics[name]):.4f}" for name in _chosen(metrics)
    )
    return f"epoch {epoch}{values}  {seconds:.1f} s"


class EpochLines(ProgressBar):
    """One line an epoch: epoch, losses, mIoU, seconds.

    A test or a prediction has no epochs, so it prints a line each 30 seconds. Counts as
    Lightning's progress bar, so that no other one is added.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._began = 0.0
        self._spoke = 0.0

    def disable(self) -> None:
        """Be silent; Lightning calls it on all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Speak again."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Lightning's interface
        """What ``self.print`` of a module reaches."""
        if self._enabled:
            print(*args, **kwargs, flush=True)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line; the validation inside the epoch is over by now."""
        self.print(epoch_line(trainer, time.monotonic() - self._began))

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's interface
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Print a line when the last one is 30 seconds old."""
        self._step("test", batch_idx + 1, sum(trainer.num_test_batches))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print how long it took."""
        self._end("test", sum(trainer.num_test_batches))

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start()

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's interface
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Print a line when the last one is 30 seconds old."""
        self._step("predict", batch_idx + 1, sum(trainer.num_predict_batches))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print how long it took."""
        self._end("predict", sum(trainer.num_predict_batches))

    def _start(self) -> None:
        self._began = self._spoke = time.monotonic()

    def _step(self, stage: str, done: int, total: float) -> None:
        now = time.monotonic()
        if now - self._spoke >= _EVERY:
            self._spoke = now
            self.print(f"{stage} {done}/{total} batches  {now - self._began:.0f} s")

    def _end(self, stage: str, total: float) -> None:
        self.print(f"{stage} {total}/{total} batches  {time.monotonic() - self._began:.1f} s")


def _chosen(metrics: dict[str, Any]) -> list[str]:
    # Lightning adds an "_epoch" twin to what is logged both by step and by epoch.
    return [n for n in _SHOWN if n in metrics and f"{n}_epoch" not in metrics]
