"""The configuration as typed plain values: the groups that tasks of `run.py` are made of.

A task's own Settings class (a subclass of ``RunSettings`` beside the task) has just the groups and
keys that the task reads, so a key that it would ignore is an error. Each number says its range
where it is defined, and each key that changes no score says so (``neutral``).
"""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # reading rasters takes a second to import; the settings are asked for first
    from terrashot.data.layout import FewShotLayout
    from terrashot.taxonomy import Taxonomy

REQUIRED: Any = "???"
"""Stands for a value that a config file or the command line has to give."""


def setting(
    default: Any = MISSING,  # noqa: ANN401 - of any type
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
    neutral: bool = False,
    path: bool | Sequence[str] = False,
    factory: Any = MISSING,  # noqa: ANN401 - makes the default
    why: str = "",
) -> Any:  # noqa: ANN401 - a dataclass field
    """A field of a settings class with its range.

    Args:
        default: The value where the configuration has none.
        at_least: Smallest value.
        at_most: Largest value.
        above: The value lies above this.
        below: The value lies below this.
        choices: The words that are allowed.
        neutral: Whether no score depends on it: place, machine or looks of a run.
        path: Whether the value is a path, so that it may have any signs on the command line; of a
            dictionary: the keys whose value is a path or something else (``rules.*.folder``); of
            a value that may be a list of paths: ``("",)``.
        factory: Makes the default, in place of ``default``.
        why: What the number is, and what to do about a wrong one, for the error.
    """
    bounds = {"at_least": at_least, "at_most": at_most, "above": above, "below": below}
    metadata: dict[str, Any] = {k: v for k, v in bounds.items() if v is not None}
    metadata |= {"neutral": neutral, "choices": tuple(choices), "path": path, "why": why}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class PathSettings:
    """``configs/paths``."""

    data: str = setting(REQUIRED, path=True)
    logs: str = setting(REQUIRED, path=True)
    masks: str | None = setting(None, path=True)
    run_folder: str | None = setting(None, path=True)
    feature_cache: str = setting(REQUIRED, path=True)


@dataclass
class DatasetSettings:
    """``configs/data``: what every dataset says, whatever its folder holds."""

    name: str = REQUIRED
    root: str = setting(REQUIRED, neutral=True, path=True)
    kind: str = "tiles"
    hint: str = setting("", neutral=True)
    num_workers: int | None = setting(None, at_least=0, neutral=True)


@dataclass
class DataSettings(DatasetSettings):
    """The same for tiles in the few-shot layout, as every task reads them."""

    split: str = "test"
    support_draw: int | None = setting(
        None,
        at_least=0,
        why="draws are numbered 0, 1, 2, ...; null takes the support tiles of the split's JSON "
        "file",
    )
    train_share: float = setting(
        1.0, above=0, at_most=1, why="the share of the training tiles; 1.0 is all of them"
    )
    demo_seed: int | None = setting(None, at_least=0)
    eval_size: int | None = setting(
        None, at_least=32, why="a side in pixels, which networks halve five times; null: native"
    )
    eval_nearest: str = setting("exact", choices=("exact", "opencv"))
    eval_batch_size: int = setting(1, at_least=1)
    bands: list[Any] | None = None
    cache: Any = setting("auto", neutral=True)
    pin_memory: bool | None = setting(None, neutral=True)
    labels: dict[str, Any] | None = None
    taxonomy: dict[str, Any] = REQUIRED
    novel_sets: dict[str, Any] | None = setting(None, neutral=True)
    stage1_val: list[str] | None = None

    def classes(self) -> dict[str, Any]:
        """The classes as plain values, see ``Taxonomy.from_dict``."""
        return {"name": self.name, **self.taxonomy}

    def open_layout(self, taxonomy: "Taxonomy | None" = None) -> "FewShotLayout":
        """The dataset's lists and files.

        Args:
            taxonomy: The classes, which support sets and label codes are held against; None: only
                images are asked for.

        Raises:
            DataError: the root is missing.
            ConfigError: an unknown split, or label codes of other classes.
        """
        from terrashot.data.label_codes import LabelCodes
        from terrashot.data.layout import FewShotLayout

        root = Path(self.root)
        if taxonomy is None:
            return FewShotLayout(root, self.split, None, self.hint)
        codes = LabelCodes.of(self.labels, taxonomy)
        return FewShotLayout(
            root, self.split, taxonomy.novel_ids, self.hint, self.support_draw, codes
        )


@dataclass
class TrainingData(DataSettings):
    """The same for a task that trains on the tiles."""

    batch_size: int = setting(8, at_least=1)
    epochs: int = setting(30, at_least=1)
    scale: Any = None
    mean: list[float] | None = None
    std: list[float] | None = None
    rgb: list[int] | None = None


_SIZE = "a length on the ground in metres"


@dataclass
class SceneSettings:
    """``data.scenes``: whole scenes and a layer of labels, no tiles; see ``SceneSource``."""

    labels: str | None = setting(None, path=True)
    images: Any = None
    attribute: str = "class"
    layer: str | None = None
    areas: str | None = setting(None, path=True)
    areas_layer: str | None = None
    crs: str | None = setting(None, choices=("image",))
    line_width: float | None = setting(None, above=0, why=_SIZE)
    point_radius: float | None = setting(None, above=0, why=_SIZE)
    val_images: Any = None
    held_out: float = setting(
        0.2, above=0, below=1, why="the share of each class's windows that is validated on"
    )
    windows: int | None = setting(None, at_least=1)
    balanced: bool = False


@dataclass
class CropData(TrainingData):
    """The same for one that trains on crops."""

    crop: int | None = setting(
        None, at_least=32, why="a side in pixels, which networks halve five times; null: the tiles'"
    )


@dataclass
class WindowData(TrainingData):
    """The same for one that trains on windows of one class: their side, classes without any.

    A dataset's file says so whether a task that reads it is there or not.
    """

    window: int = setting(64, at_least=1)
    no_windows: list[str] = field(default_factory=list)


@dataclass
class NovelData(DataSettings):
    """The same for one that adapts to novel classes."""

    feature_stride: int | None = setting(None, at_least=1)


@dataclass
class ScoredNovelData(NovelData):
    """The same for one whose results say where query tiles were seen in the support."""

    allow_support_in_queries: bool = setting(False, neutral=True)


@dataclass
class OptimizerSettings:
    """``configs/optimizer``."""

    name: str = REQUIRED
    lr: float = setting(REQUIRED, above=0)
    lr_batch: int | None = setting(None, at_least=1)
    encoder_lr: float | None = setting(None, at_least=0)
    weight_decay: float = setting(0.0, at_least=0)
    momentum: float = setting(0.9, at_least=0, below=1)
    lars_norms: bool = False
    nesterov: bool = True
    decay_all: bool = False


@dataclass
class SchedulerSettings:
    """``configs/scheduler``."""

    name: str = REQUIRED
    warmup_fraction: float = setting(0.0, at_least=0, below=1)
    warmup_start: float = setting(0.0, at_least=0, at_most=1)
    min_lr: float = setting(0.0, at_least=0)
    restart_interval: float = setting(0.334, above=0, at_most=1)
    step_epochs: int = setting(20, at_least=1)
    step_factor: float = setting(0.5, above=0, at_most=1)


@dataclass
class DeviceSettings:
    """``configs/trainer``, as far as it concerns a task that trains no network."""

    accelerator: str = setting("auto", neutral=True)
    devices: int = setting(1, at_least=1, neutral=True)
    num_nodes: int = setting(1, at_least=1, neutral=True)
    precision: str = "auto"


@dataclass
class EvaluationDevices(DeviceSettings):
    """The same for one that scores query tiles."""

    limit_test_batches: float = setting(1.0, above=0)
    log_every_n_steps: int = setting(10, at_least=1)
    deterministic: bool = False


@dataclass
class TrainerSettings(EvaluationDevices):
    """``configs/trainer``, whole."""

    max_epochs: int = setting(REQUIRED, at_least=1)
    accumulate_grad_batches: int = setting(1, at_least=1)
    gradient_clip_val: float | None = setting(None, above=0)
    check_val_every_n_epoch: int = setting(1, at_least=1)
    limit_train_batches: float = setting(1.0, above=0)
    limit_val_batches: float = setting(1.0, at_least=0)
    compile: bool = False


@dataclass
class StrategySettings:
    """``configs/strategy``, as far as it concerns a task that trains no network."""

    name: str = setting("single", choices=("single", "ddp", "fsdp"), neutral=True)


@dataclass
class TrainingStrategy(StrategySettings):
    """``configs/strategy``, whole."""

    sync_batchnorm: bool = setting(False, neutral=True)


@dataclass
class WatchedTraining:
    """``configs/callbacks``: the metric that a training is judged by, and pictures."""

    monitor: str = "val/base_miou"
    panels: int = setting(8, at_least=0, neutral=True)


@dataclass
class CallbackSettings(WatchedTraining):
    """The same where training may stop early."""

    early_stopping_patience: int | None = setting(None, at_least=1)


@dataclass
class LoggerSettings:
    """``configs/logger``."""

    csv: bool = True
    wandb: bool = True
    tensorboard: bool = False
    project: str = "terrashot"
    mode: str = setting("auto", choices=("auto", "online", "offline", "disabled"))


@dataclass
class AdaptationSettings:
    """``configs/adaptation``: what holds for every stage-2 method."""

    feature_stride: int | None = setting(None, at_least=1)
    align_corners: bool | None = None
    panels: int = setting(8, at_least=0, neutral=True)
    feature_cache: float | None = setting(
        20.0, at_least=0, neutral=True, why="a size in GB: 20 for example, or 0 for no cache"
    )
    queries_per_pass: int = setting(4, at_least=1)
    storage: str = setting("float32", choices=("float32", "bfloat16", "float64"))
    save_maps: bool = setting(False, neutral=True)
    joint: dict[str, Any] | None = None
    base_weight: float = setting(0.4, at_least=0)
    novel_weight: float = setting(0.6, at_least=0)


@dataclass
class SweepSettings:
    """``sweep``: what a multirun goes through and how it is taken up again."""

    grid: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False
    job: str | None = None


@dataclass
class RunSettings:
    """What every run has, whatever its task."""

    name: str = REQUIRED
    task: str = REQUIRED
    seed: int = setting(0, at_least=0)
    resume: str | None = setting(None, neutral=True, path=True)
    optimized_metric: str | None = setting(None, neutral=True)
    print_config: bool = setting(False, neutral=True)
    tags: list[str] = setting(factory=list, neutral=True)
    paths: PathSettings = setting(factory=PathSettings, neutral=True)
    sweep: SweepSettings = setting(factory=SweepSettings, neutral=True)
    trainer: DeviceSettings = field(default_factory=DeviceSettings)
    strategy: StrategySettings = field(default_factory=StrategySettings)

    @property
    def processes(self) -> int:
        """Processes in all: devices times nodes."""
        return self.trainer.devices * self.trainer.num_nodes


@dataclass
class LoggedSettings(RunSettings):
    """A run on a dataset whose numbers are logged."""

    data: DatasetSettings = field(default_factory=DatasetSettings)
    logger: LoggerSettings = setting(factory=LoggerSettings, neutral=True)
    trainer: EvaluationDevices = field(default_factory=EvaluationDevices)


@dataclass
class TileSettings(LoggedSettings):
    """The same on tiles."""

    data: DataSettings = field(default_factory=DataSettings)


@dataclass
class OptimizedSettings(LoggedSettings):
    """A run that trains a network, on tiles or on something else."""

    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    strategy: TrainingStrategy = field(default_factory=TrainingStrategy)


@dataclass
class TrainingSettings(OptimizedSettings, TileSettings):
    """A run that trains a network on tiles."""

    data: TrainingData = field(default_factory=TrainingData)
    augmentation: dict[str, Any] = field(default_factory=dict)


@dataclass
class StageTwoSettings(TileSettings):
    """What all tasks read that adapt a stage-1 network."""

    data: ScoredNovelData = field(default_factory=ScoredNovelData)
    checkpoint: str | None = setting(None, path=True)
    method: dict[str, Any] = REQUIRED
    similarity: dict[str, Any] | None = setting(None, path=("weights", "cache", "checkpoint"))
    transition: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    transduction: dict[str, Any] | None = None
    solver: dict[str, Any] | None = None
    support_weighting: dict[str, Any] | None = setting(None, path=("checkpoint",))
    inference: dict[str, Any] | None = None
    postprocess: dict[str, Any] | None = setting(None, path=("rules.*.folder",))
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
