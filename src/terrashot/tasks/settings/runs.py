"""The settings of a run, from what all have to what all trainings or stage-2 runs have.

A task's own Settings class (a subclass beside the task) has just the groups and keys that the task
reads, so a key that it would ignore is an error.
"""

from dataclasses import dataclass, field
from typing import Any

from terrashot.tasks.settings.data import (
    DatasetSettings,
    DataSettings,
    ScoredNovelData,
    TrainingData,
)
from terrashot.tasks.settings.field import REQUIRED, setting
from terrashot.tasks.settings.groups import (
    DeviceSettings,
    EvaluationDevices,
    LoggerSettings,
    OptimizerSettings,
    PathSettings,
    SchedulerSettings,
    StageTwoAdaptation,
    StrategySettings,
    SweepSettings,
    TrainerSettings,
    TrainingStrategy,
)


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
    adaptation: StageTwoAdaptation = field(default_factory=StageTwoAdaptation)
