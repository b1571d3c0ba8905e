"""The Settings of SimTrans' two tasks."""

from dataclasses import dataclass, field
from typing import Any

from terrashot.tasks.settings import (
    REQUIRED,
    AdaptationSettings,
    CallbackSettings,
    NovelData,
    TrainingSettings,
    WindowData,
    setting,
)


@dataclass
class UnitData(WindowData, NovelData):
    """The same, for pixels of a stage-1 network too."""


@dataclass
class UnitSettings:
    """``configs/units``: what SimNet compares, and how it is trained."""

    kind: str = setting(REQUIRED, choices=("windows", "pixels"))
    head: str = "4"
    symmetric: bool = False
    batch_size: int = setting(40, at_least=2)
    classes: int = setting(20, at_least=2)
    novel_classes: int = setting(2, at_least=1)
    beta: float = setting(0.0, at_least=0)
    warm_up: bool = False
    similar_weight: Any = None
    across_tiles: bool = False
    held_out: list[str] | None = None
    val_per_class: int = setting(64, at_least=4)
    per_tile: int = setting(64, at_least=1)


@dataclass
class WeakShotOptions:
    """``configs/weak_shot``: training on noisy novel windows."""

    classes: str = setting("all", choices=("all", "novel"))
    base_windows: int = setting(150, at_least=2)
    weights: dict[str, Any] = field(default_factory=dict)
    alpha: float = setting(0.0, at_least=0)
    mu: float = -4.0
    graph: str = setting("distance", choices=("distance", "cosine"))
    normalise: bool = True
    same_label: bool = False
    schedule: str = setting("joint", choices=("joint", "alternate"))
    batch_size: int = setting(32, at_least=2)
    graph_batch_size: int = setting(128, at_least=2)
    # Its content counts, see ``inputs``.
    simnet: str | None = setting(None, neutral=True, path=True)


@dataclass
class WindowTaskSettings(TrainingSettings):
    """What both tasks read."""

    data: WindowData = field(default_factory=WindowData)


@dataclass
class SimNetSettings(WindowTaskSettings):
    """Settings of training a SimNet."""

    data: UnitData = field(default_factory=UnitData)
    checkpoint: str | None = setting(None, path=True)
    backbone: dict[str, Any] | None = setting(None, path=("weights",))
    units: UnitSettings = field(default_factory=UnitSettings)
    callbacks: CallbackSettings = field(default_factory=CallbackSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)


@dataclass
class WeakShotSettings(WindowTaskSettings):
    """Settings of weak-shot classification."""

    backbone: dict[str, Any] = setting(REQUIRED, path=("weights",))
    noise: dict[str, Any] = REQUIRED
    weak_shot: WeakShotOptions = field(default_factory=WeakShotOptions)
