"""SG-One as a task of `run.py`."""

from collections.abc import Mapping
from typing import Any

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.kinds.novel_adaptation import NovelAdaptationKind, check_novel_classes
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.papers.sg_one.episodes.rules import EpisodeRules
from terrashot.papers.sg_one.guidance.shot_fusion import checked_fusion
from terrashot.papers.sg_one.network.build import VGG16
from terrashot.papers.sg_one.training.optimizer import FAITHFUL
from terrashot.taxonomy import Taxonomy

_STAGE_2 = (
    "{group} is a setting of stage 2, but experiment={experiment} trains and tests SG-One, which "
    "would ignore it. Leave {group} out, or run experiment=stage2."
)


class SGOneKind(TaskKind):
    """Episodic training on base classes, few-shot evaluation on novel ones."""

    name = "sg_one"
    needed = ("loss", "optimizer", "scheduler", "episodes")
    refused = dict.fromkeys(
        (
            "similarity",
            "transition",
            "transduction",
            "solver",
            "method",
            "inference",
            "guidance",
            "support_weighting",
            "postprocess",
        ),
        _STAGE_2,
    )
    needs_stage1 = True

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """Numbers of the episodes, and parts that do not go together."""
        check_novel_classes(settings, taxonomy)
        episodes = settings.episodes
        assert episodes is not None
        for key in ("per_epoch", "validation", "evaluation", "guidance_channels"):
            if getattr(episodes, key) < 1:
                raise ConfigError(
                    f"episodes.{key} is {getattr(episodes, key)}, but it must be at least 1."
                )
        if not 0 <= episodes.tau < 1:
            raise ConfigError(
                f"episodes.tau is {episodes.tau}, but it is compared with a probability: it must "
                "lie from 0 up to 1; 0.5 takes what is more likely the novel class than not."
            )
        if (settings.backbone is None) != (settings.decoder is None) and not _published(settings):
            raise ConfigError(
                "backbone and decoder go together: choose both for a network of SG-One's own, or "
                "leave both null to start from the stage-1 network."
            )
        checked_fusion(episodes.shot_fusion)
        episode_rules(settings, taxonomy)
        if str((settings.loss or {}).get("_target_")).endswith("LDAM"):
            raise ConfigError(
                "loss: LDAM counts the pixels of each class, but an episode has foreground and "
                "background only. Choose loss=ce, ce_dice or focal."
            )
        if settings.strategy.name == "fsdp":
            raise ConfigError(
                "strategy=fsdp shards large networks; SG-One's is small. Use strategy=ddp."
            )
        optimizer, scheduler = settings.optimizer, settings.scheduler
        assert optimizer is not None
        assert scheduler is not None
        if optimizer.name == FAITHFUL and scheduler.name != "constant":
            raise ConfigError(
                f"optimizer=sg_one_faithful learns at a constant rate, but scheduler="
                f"{scheduler.name} was chosen. Add scheduler=constant, or take optimizer=adamw."
            )

    def check_tiles(self, layout: FewShotLayout) -> None:
        """All of them."""
        for part in (layout.train, layout.stage1_val, layout.support, layout.query):
            assert part

    def monitored(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Scores over the fixed episodes of base classes."""
        classes = [f"val/episode_iou/{land.name}" for land in taxonomy.base]
        return ["val/loss", "val/episode_miou", "val/episode_fb_iou", *classes]

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Scores of the map of all classes, and of the episodes of novel classes."""
        few = [
            f"test/{shots}_{score}"
            for shots in ("one_shot", "all_shots")
            for score in ("miou", "fb_iou", *(f"iou/{land.name}" for land in taxonomy.novel))
        ]
        return [*NovelAdaptationKind().metrics(settings, taxonomy), *few]

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Train and evaluate."""
        from terrashot.app.sg_one import run_sg_one

        run_sg_one(settings, folder)

    def sweep_score(self, settings: Settings) -> str:
        """The few-shot score with all support tiles."""
        return "all_shots"

    def sweep_scores(self, settings: Settings, results: Mapping[str, Any]) -> dict[str, Any]:
        """Few-shot mIoU beside imprinting's, then the scores that every stage-2 method has."""
        few = {n: results["metrics"].get(f"test/{n}_miou") for n in ("one_shot", "all_shots")}
        for name, scores in results["episodes"].items():
            if name.startswith("imprinting"):
                few[name] = scores["test/episode_miou"]
        return {**few, **NovelAdaptationKind().sweep_scores(settings, results)}


def _published(settings: Settings) -> bool:
    return (settings.backbone or {}).get("name") == VGG16


def episode_rules(settings: Settings, taxonomy: Taxonomy) -> EpisodeRules:
    """What a window of an episode must show.

    Raises:
        ConfigError: a number out of its range.
    """
    episodes = settings.episodes
    assert episodes is not None
    return EpisodeRules(
        crop=settings.data.crop,
        min_pixels=episodes.min_pixels,
        max_foreground=episodes.max_foreground,
        zero_as_background=episodes.zero_as_background,
    )
