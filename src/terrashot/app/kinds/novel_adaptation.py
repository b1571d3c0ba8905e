"""Stage 2 as a task of `run.py`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

_STAGE_1 = (
    "backbone and decoder are settings of stage 1; stage 2 takes the network that its checkpoint "
    "describes. Leave them out, or name another stage-1 run with checkpoint=."
)
_SCORES = {"base": "test/base_miou", "novel": "test/novel_miou", "weighted": "test/weighted_miou"}


class NovelAdaptationKind(TaskKind):
    """Adaptation to the novel classes, query by query."""

    name = "novel_adaptation"
    needed = ("method",)
    refused = dict.fromkeys(("backbone", "decoder"), _STAGE_1)
    needs_stage1 = True
    trains = False

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """There must be something to learn, and the post-processing must go with the classes."""
        check_novel_classes(settings, taxonomy)
        if settings.postprocess is not None:
            from terrashot.app.postprocess import check_postprocess

            check_postprocess(settings, taxonomy)
        self.inputs(settings)

    def inputs(self, settings: Settings) -> list[Path]:
        """The SimNet of each group that uses one."""
        if settings.similarity is None and settings.support_weighting is None:
            return []
        from terrashot.app.sim_net_checkpoint import sim_net_parts

        return list(sim_net_parts(settings).values())

    def check_tiles(self, layout: FewShotLayout) -> None:
        """Support and query tiles."""
        assert layout.support
        assert layout.query

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Scores over all query tiles."""
        scores = ["base", "novel", "weighted", "mean", "harmonic"]
        known = [f"test/{s}_miou" for s in scores]
        return [*known, "test/pixel_accuracy", *(f"test/iou/{c}" for c in taxonomy.names)]

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Adapt and score."""
        from terrashot.app.stage2 import run_novel_adaptation

        run_novel_adaptation(settings, folder)

    def sweep_score(self, settings: Settings) -> str:
        """The challenge's score."""
        return "weighted"

    def sweep_scores(self, settings: Settings, results: Mapping[str, Any]) -> dict[str, Any]:
        """Base, novel and weighted mIoU."""
        return {name: results["metrics"].get(key) for name, key in _SCORES.items()}


def check_novel_classes(settings: Settings, taxonomy: Taxonomy) -> None:
    """Raise a ConfigError where the data has no novel class."""
    if not taxonomy.novel:
        raise ConfigError(
            f"data={settings.data.name} has no novel class in its taxonomy, so stage 2 has "
            "nothing to learn. List at least one under data.taxonomy.novel."
        )
