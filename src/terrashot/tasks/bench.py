"""What a task may ask before and in a run; `app/run/` answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from terrashot.tasks.settings.runs import RunSettings

if TYPE_CHECKING:  # torch and Lightning take seconds; the settings of a task are asked for first
    import torch
    from lightning import Callback, LightningDataModule, LightningModule, Trainer
    from rich.console import Console
    from torch import Tensor, nn

    from terrashot.data.feature_cache import FeatureCache
    from terrashot.image_spec import ImageSpec
    from terrashot.networks.segmenter import Segmenter
    from terrashot.tasks.optimization import OptimizationPlan
    from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class FinishedRun:
    """A finished run: its folder, and what its ``run.json`` says."""

    path: Path
    info: Mapping[str, Any]


class Bench(Protocol):
    """What can be asked before and in a run."""

    @property
    def settings(self) -> RunSettings:
        """The settings of the run."""
        ...

    def build(self, group: str, **extra: Any) -> Any:  # noqa: ANN401 - what its _target_ names
        """The object that the ``_target_`` of a group of the settings names; None where null.

        Raises:
            ConfigError: an option that the class does not know, or a value that it refuses.
            CheckpointError: a part needs a file that is not there, or does not fit.
        """
        ...

    def files(self) -> list[Path]:
        """The files that parts are built from (see ``PartOfFile``), checked."""
        ...

    def image_spec(self) -> "ImageSpec":
        """The channels of the data's images: as stage 1 was trained, or is about to be.

        Raises:
            ConfigError: settings of ``data`` that do not go together.
            DataError: a training tile that statistics are computed from can't be read.
            CheckpointError: there is no stage-1 checkpoint.
        """
        ...

    def stage1_checkpoint(self) -> Path:
        """The stage-1 checkpoint of the run: the one named, or the latest on this data.

        Raises:
            CheckpointError: there is none.
        """
        ...

    def finished_runs(self, task: str) -> list[FinishedRun]:
        """All finished runs of a task on this dataset, whatever their experiment is called."""
        ...


class PartOfFile(Protocol):
    """A part of a run, named by ``_target_``, that is built from a file and knows which.

    Its class says where the file lies; ``Bench.build`` asks it and hands the path over as the
    argument ``checkpoint``.
    """

    @classmethod
    def find_file(cls, given: str | None, bench: Bench) -> Path:
        """The file that the setting ``checkpoint`` of the part's group stands for, checked.

        Raises:
            CheckpointError: there is none, or it does not fit the run.
        """
        ...


class Run(Bench, Protocol):
    """A run at work: its folder, its screen, its trainer."""

    path: Path
    console: "Console"
    trainer: "Trainer"

    @property
    def device(self) -> "torch.device":
        """Where networks run that no trainer moves."""
        ...

    @property
    def is_first(self) -> bool:
        """Whether this is the first process of the run: the one that writes and prints."""
        ...

    def update_info(self, **values: Any) -> None:  # noqa: ANN401 - JSON values
        """Add values to ``run.json``."""
        ...

    def read_info(self) -> dict[str, Any]:
        """What ``run.json`` says."""
        ...

    def tiles(self) -> dict[str, Any]:
        """What every data module is made from, whatever it makes of the tiles."""
        ...

    def loaders(self) -> dict[str, Any]:
        """What every loader is made with, whatever it loads."""
        ...

    def plan(self) -> "OptimizationPlan":
        """Optimizer and schedule of the settings as checked plain numbers."""
        ...

    def feature_cache(self, checkpoint: Path, segmenter: "Segmenter") -> "FeatureCache | None":
        """The cache for features of this checkpoint; None where it is switched off."""
        ...

    def start(self, *callbacks: "Callback", trains: bool = True, best: bool = True) -> "Trainer":
        """Make the trainer with its loggers, and say what runs on what.

        Args:
            callbacks: Of this task; progress, seeds and checkpoints come along.
            trains: Whether ``fit`` follows, so that checkpoints are kept.
            best: Keep the checkpoint that ``callbacks.monitor`` finds best beside the last one.
        """
        ...

    def say(self, line: str, style: str | None = None) -> None:
        """Print one line, from the first process alone."""
        ...

    def fit(
        self,
        module: "LightningModule",
        data: "LightningDataModule",
        network: "nn.Module | None" = None,
        curves: Mapping[str, str] | None = None,
    ) -> None:
        """Train, going on from ``last.ckpt`` where the folder has one; draw the curves.

        Args:
            module: What is trained.
            data: What on.
            network: What ``trainer.compile=true`` compiles; None: nothing is compiled.
            curves: Arguments of ``curves_figure``.
        """
        ...

    def test(self, module: "LightningModule", data: "LightningDataModule") -> None:
        """Score."""
        ...

    def metrics(self) -> dict[str, float]:
        """The numbers that were logged last."""
        ...

    def best_score(self) -> float:
        """The best value of ``callbacks.monitor``; nan where there is none."""
        ...

    def write_results(
        self,
        metrics: Mapping[str, float],
        content: Mapping[str, Any],
        confusion: "Tensor | None" = None,
        taxonomy: "Taxonomy | None" = None,
    ) -> None:
        """Write ``results.json``.

        Args:
            metrics: By name; nan becomes null.
            content: What else a task has to say, as JSON values.
            confusion: Counts ``[K, K]`` of the classes.
            taxonomy: These classes.
        """
        ...

    def close(
        self, score: str, value: float, following: str | None = None, report: Path | None = None
    ) -> None:
        """Print the closing lines: the score, the folder, the report, the next command."""
        ...
