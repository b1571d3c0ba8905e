"""What every task of the wing is set by: the episodes, and the network that learns from them."""

from dataclasses import dataclass, field
from typing import Any

from terrashot.tasks.settings.data import CropData, NovelData
from terrashot.tasks.settings.field import REQUIRED, setting
from terrashot.tasks.settings.groups import AdaptationSettings, CallbackSettings
from terrashot.tasks.settings.runs import TrainingSettings


@dataclass
class EpisodeTraining:
    """``configs/episodes``, as far as every task reads it."""

    per_epoch: int = setting(REQUIRED, at_least=1)
    validation: int = setting(REQUIRED, at_least=1)
    evaluation: int = setting(REQUIRED, at_least=1)
    seed: int = setting(0, at_least=0)
    min_pixels: int = setting(1024, at_least=1)
    max_foreground: float = setting(0.9, above=0, at_most=1)
    zero_as_background: bool = False
    alone: bool = False
    guidance_channels: int = setting(128, at_least=1)
    exit_padding: int = setting(0, at_least=0, at_most=1)
    shot_fusion: str = "avg"
    trained: str | None = setting(None, path=True)


@dataclass
class EpisodeSettings(EpisodeTraining):
    """The same where answers are merged into a map of all classes."""

    tau: float = setting(
        0.5,
        at_least=0,
        below=1,
        why="compared with a probability; 0.5 takes what is more likely the novel class than not",
    )


@dataclass
class EpisodicSettings(TrainingSettings):
    """A run that trains SG-One on episodes."""

    data: CropData = field(default_factory=CropData)
    backbone: dict[str, Any] | None = setting(None, path=("weights",))
    decoder: dict[str, Any] | None = None
    loss: dict[str, Any] = REQUIRED
    episodes: EpisodeTraining = field(default_factory=EpisodeTraining)
    callbacks: CallbackSettings = field(default_factory=CallbackSettings)


@dataclass
class SGOneData(CropData, NovelData):
    """``configs/data``, for training and for novel classes."""


@dataclass
class SGOneSettings(EpisodicSettings):
    """Settings of SG-One on a dataset with a stage-1 network."""

    data: SGOneData = field(default_factory=SGOneData)
    checkpoint: str | None = setting(None, path=True)
    episodes: EpisodeSettings = field(default_factory=EpisodeSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
