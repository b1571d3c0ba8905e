"""SIGTERM ends a process at once, also while Lightning is at work."""

import signal
import threading
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class PromptStop(Callback):
    """Put back the handler of SIGTERM that stood before Lightning's.

    Lightning's waits for the end of the batch and first tells the other processes, from within
    the handler: where SLURM signals all of them, each in another place of its step, they wait for
    each other until they are killed.
    """

    def __init__(self) -> None:
        self._handler: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called before Lightning sets its own handlers."""
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The first hook of training after Lightning has set its own."""
        self._restore()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same of a test."""
        self._restore()

    def _restore(self) -> None:
        if callable(self._handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)
