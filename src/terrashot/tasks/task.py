"""What a task of `run.py` is, and what it may ask of the program that runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from terrashot.errors import ConfigError
from terrashot.tasks.settings.runs import LoggedSettings, RunSettings, TileSettings

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

_LARGEST_CROP = 512
S = TypeVar("S", bound=RunSettings)
L = TypeVar("L", bound=LoggedSettings)


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


class Task(ABC, Generic[S]):
    """One value of ``task:``. A new task is one such class in a file of its own.

    A task file is read whenever anything is composed, so it imports torch and all that needs it
    inside of its methods.

    Attributes:
        name: The value of ``task:`` in an experiment.
        experiment: The experiment that runs it with its defaults.
        settings: Its Settings class.
        data_kinds: The values of ``data.kind`` that it reads.
        stands_for: Name of the task whose place it takes on data of its kinds, so that one
            experiment runs on both. What that experiment sets and this task does not read is left
            out; what the command line sets is not.
        tiles: The parts of the tile layout (``FewShotLayout``) that it reads: their lists and the
            existence of their files are checked before the run.
        needs_stage1: Whether it starts from a stage-1 checkpoint (``checkpoint=``).
        trains: Whether it trains a network, so that devices multiply the batch and
            ``callbacks.monitor`` chooses a checkpoint.
        averaged: Keys of ``data`` over which the table of a multirun ends in means: the folds of
            a benchmark.
    """

    name: ClassVar[str]
    experiment: ClassVar[str]
    settings: ClassVar[type[RunSettings]]
    data_kinds: ClassVar[Sequence[str]] = ("tiles",)
    stands_for: ClassVar[str | None] = None
    tiles: ClassVar[Sequence[str]] = ()
    needs_stage1: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    averaged: ClassVar[Sequence[str]] = ()

    def check(self, settings: S, bench: Bench) -> None:
        """Raise a TerrashotError for what can't work and no general check finds."""

    def fill_in(self, settings: S) -> None:
        """Set what the settings leave to the data, so that the run's record has it.

        Raises:
            ConfigError: settings that do not go together.
            DataError: what is asked can't be read.
        """

    def reads(self, settings: S) -> Sequence[str] | None:
        """The parts of the tile layout that a run reads; None: it needs no tiles at all."""
        return self.tiles

    def inputs(self, settings: S, bench: Bench) -> Sequence[Path]:
        """Files beside tiles and stage-1 checkpoint on whose content the scores depend."""
        return bench.files()

    def scores_queries(self, settings: S) -> bool:
        """Whether the scores of this run are taken on the query tiles."""
        return "query" in self.tiles

    def monitored(self, settings: S) -> list[str]:
        """The metrics that ``callbacks.monitor`` may name; asked of tasks that have it."""
        return self.metrics(settings)

    @abstractmethod
    def metrics(self, settings: S) -> list[str]:
        """The metrics that ``optimized_metric`` may name."""

    @abstractmethod
    def run(self, settings: S, run: Run) -> None:
        """Run it."""

    @abstractmethod
    def sweep_score(self, settings: S) -> str:
        """The score that the table of a sweep compares options by."""

    def sweep_scores(self, settings: S, results: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a sweep's table, from ``results.json``: of the best epoch, if any."""
        main = self.sweep_score(settings)
        return {main: (results.get("best") or results["metrics"]).get(main)}


def taxonomy_of(settings: TileSettings) -> "Taxonomy":
    """The classes of the run's data.

    Raises:
        ConfigError: they are not named, or can't be so.
    """
    from terrashot.taxonomy import Taxonomy

    if not names_classes(settings):
        raise ConfigError(
            f"data={settings.data.name} names no classes of its own. {settings.data.hint}".strip()
        )
    return Taxonomy.from_dict(settings.data.classes())


def names_classes(settings: TileSettings) -> bool:
    """Whether the run's data names its classes; whole scenes are drawn on later."""
    return bool(settings.data.taxonomy)


def training_images(settings: TileSettings) -> list[Path]:
    """The tiles or scenes that a run trains on.

    Raises:
        DataError: there are none.
    """
    from terrashot.tasks.scenes import scene_source

    source = scene_source(settings.data)
    if source is not None:
        return source.training_images
    return [tile.image for tile in settings.data.open_layout().unlabelled_train]


def crop_of(settings: TileSettings, crop: int | None) -> int:
    """Side of a training crop: the one asked for, or that of the images, 512 pixels at most.

    Raises:
        DataError: the first training image, whose size is asked, can't be read.
    """
    from terrashot.data.reading import image_size

    if crop is not None:
        return crop
    # The encoder's strides fit into multiples of 32.
    return max(32, min(_LARGEST_CROP, *image_size(training_images(settings)[0])) // 32 * 32)


def check_novel_classes(settings: TileSettings) -> None:
    """Raise a ConfigError where the data has no novel class."""
    if not taxonomy_of(settings).novel:
        raise ConfigError(
            f"data={settings.data.name} has no novel class in its taxonomy, so stage 2 has "
            "nothing to learn. List at least one under data.taxonomy.novel."
        )


def following_data(settings: LoggedSettings) -> str:
    """The part of a next command that names the data, where it is not the default."""
    return "" if settings.data.name == "demo" else f" data={settings.data.name}"
