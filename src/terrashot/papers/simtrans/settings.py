"""The Settings of SimTrans' tasks: on tiles, and on folders of images."""

from dataclasses import dataclass, field
from typing import Any

from terrashot.papers.simtrans.folders.layouts.all import LAYOUTS
from terrashot.tasks.settings.data import DatasetSettings, NovelData, WindowData
from terrashot.tasks.settings.field import REQUIRED, setting
from terrashot.tasks.settings.groups import AdaptationSettings, CallbackSettings
from terrashot.tasks.settings.runs import OptimizedSettings, TrainingSettings

AUTO = "auto"


@dataclass
class UnitData(WindowData, NovelData):
    """The same, for pixels of a stage-1 network too."""


@dataclass
class ImageFolderData(DatasetSettings):
    """``data=image_folders``: images by class, and how they are cut to one size."""

    # Two folders may differ in their images alone, so the folder is part of what a job is.
    root: str = setting(REQUIRED, path=True)
    layout: str = setting(AUTO, choices=(AUTO, *LAYOUTS))
    # What the lists hold counts, see ``inputs``.
    base: str | None = setting(None, neutral=True, path=True)
    novel: str | None = setting(None, neutral=True, path=True)
    window: int = setting(224, at_least=32, why="the side in pixels that images are cut to")
    resize: int = setting(255, at_least=32, why="the shorter side of a test image before the cut")
    rotation: float = setting(30.0, at_least=0, at_most=180)
    area: float = setting(0.5, above=0, at_most=1, why="smallest share of an image in a crop")
    flip: float = setting(0.5, at_least=0, at_most=1)
    mean: list[float] = REQUIRED
    std: list[float] = REQUIRED


@dataclass
class PairSettings:
    """``configs/units``: what SimNet compares, and how it is trained."""

    kind: str = setting(REQUIRED, choices=("windows", "pixels"))
    head: str = "4"
    symmetric: bool = False
    batch_size: int = setting(40, at_least=2)
    classes: int = setting(20, at_least=2)
    novel_classes: int = setting(2, at_least=1)
    beta: float = setting(0.0, at_least=0)
    warm_up: bool = False
    domain_lr: float | None = setting(None, above=0)
    noisy_frac: float = setting(0.0, at_least=0)
    similar_weight: Any = None
    held_out: list[str] | None = None
    val_per_class: int = setting(64, at_least=4)
    # Its content counts, see ``inputs``.
    start: str | None = setting(None, neutral=True, path=True)


@dataclass
class UnitSettings(PairSettings):
    """The same for units of tiles."""

    across_tiles: bool = False
    per_tile: int = setting(64, at_least=1)


@dataclass
class ImageUnitSettings(PairSettings):
    """The same for images."""

    val_units: int = setting(1500, at_least=8)


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
    symmetric: bool = True
    schedule: str = setting("joint", choices=("joint", "alternate"))
    batch_size: int = setting(32, at_least=2)
    graph_batch_size: int = setting(128, at_least=2)
    # The content of these files counts, see ``inputs``.
    simnet: str | None = setting(None, neutral=True, path=True)
    start: str | None = setting(None, neutral=True, path=True)
    trained: str | None = setting(None, neutral=True, path=True)


@dataclass
class WindowTaskSettings(TrainingSettings):
    """What both tasks on tiles read."""

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


@dataclass
class ImageSimNetSettings(OptimizedSettings):
    """Settings of training a SimNet on folders of images."""

    data: ImageFolderData = field(default_factory=ImageFolderData)
    backbone: dict[str, Any] = setting(REQUIRED, path=("weights",))
    units: ImageUnitSettings = field(default_factory=ImageUnitSettings)
    callbacks: CallbackSettings = field(default_factory=CallbackSettings)


@dataclass
class ImageWeakShotSettings(OptimizedSettings):
    """Settings of weak-shot classification on folders of images."""

    data: ImageFolderData = field(default_factory=ImageFolderData)
    backbone: dict[str, Any] = setting(REQUIRED, path=("weights",))
    weak_shot: WeakShotOptions = field(default_factory=WeakShotOptions)
