"""``configs/data``: what a dataset says, as the tasks read it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.tasks.settings.field import REQUIRED, setting

if TYPE_CHECKING:  # reading rasters takes a second to import; the settings are asked for first
    from terrashot.data.layout import FewShotLayout
    from terrashot.taxonomy import Taxonomy


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


ON_GROUND = "a length on the ground in metres"


@dataclass
class LayerSettings:
    """Images and the vector layer that labels them; see ``terrashot.data.labels.layer``."""

    labels: str | None = setting(None, path=True)
    images: Any = setting(None, path=("",))
    attribute: str = "class"
    layer: str | None = None
    areas: str | None = setting(None, path=True)
    areas_layer: str | None = None
    crs: str | None = setting(None, choices=("image",))
    line_width: float | None = setting(None, above=0, why=ON_GROUND)
    point_radius: float | None = setting(None, above=0, why=ON_GROUND)


@dataclass
class SceneSettings(LayerSettings):
    """``data.scenes``: whole scenes and a layer of labels, no tiles; see ``SceneSource``."""

    val_images: Any = setting(None, path=("",))
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
