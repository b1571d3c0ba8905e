"""All tasks of `run.py`."""

from terrashot.app.kinds.adapt_once import AdaptOnceKind
from terrashot.app.kinds.base_segmentation import BaseSegmentationKind
from terrashot.app.kinds.contrastive_pretraining import ContrastivePretrainingKind
from terrashot.app.kinds.kind import TaskKind
from terrashot.app.kinds.novel_adaptation import NovelAdaptationKind
from terrashot.app.kinds.scene_mapping import SceneMappingKind
from terrashot.app.kinds.sg_one import SGOneKind
from terrashot.app.kinds.sim_net import SimNetKind
from terrashot.app.kinds.weak_shot import WeakShotKind
from terrashot.app.settings import Settings
from terrashot.errors import ConfigError

_KINDS: dict[str, TaskKind] = {
    kind.name: kind
    for kind in (
        ContrastivePretrainingKind(),
        BaseSegmentationKind(),
        NovelAdaptationKind(),
        SceneMappingKind(),
        SGOneKind(),
        AdaptOnceKind(),
        SimNetKind(),
        WeakShotKind(),
    )
}


def task_kind(settings: Settings) -> TaskKind:
    """What ``task:`` names.

    Raises:
        ConfigError: there is no such task.
    """
    kind = _KINDS.get(settings.task)
    if kind is None:
        raise ConfigError(f"task is '{settings.task}', but it must be one of {', '.join(_KINDS)}.")
    return kind
