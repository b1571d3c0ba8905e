"""A checkpoint before the first step, so that a run can be resumed from its first minute on."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer


class FirstCheckpoint(Callback):
    """Write ``path`` when training starts and no checkpoint is there yet.

    On large data the first epoch takes hours; a run killed in it leaves a loadable file too, and a
    disk that is full or read-only shows before the first step.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save on all processes, as Lightning wants it; the first one writes."""
        if trainer.global_step == 0:
            trainer.save_checkpoint(self.path, weights_only=False)  # the optimizers too
