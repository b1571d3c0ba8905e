"""SG-One as a task of `run.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.settings import (
    REQUIRED,
    AdaptationSettings,
    CallbackSettings,
    CropData,
    NovelData,
    TrainingSettings,
    setting,
)
from terrashot.tasks.task import Bench, Run, Task, check_novel_classes, crop_of, taxonomy_of

if TYPE_CHECKING:
    from terrashot.networks.segmenter import Segmenter
    from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
    from terrashot.papers.sg_one.episodes.rules import EpisodeRules
    from terrashot.papers.sg_one.evaluation.few_shot_evaluation import FewShotResult
    from terrashot.papers.sg_one.network.network import SGOneNetwork
    from terrashot.papers.sg_one.training.optimizer import FaithfulPlan
    from terrashot.tasks.optimization import OptimizationPlan

_SCORES = {"base": "test/base_miou", "novel": "test/novel_miou", "weighted": "test/weighted_miou"}


@dataclass
class EpisodeSettings:
    """``configs/episodes``."""

    per_epoch: int = setting(REQUIRED, at_least=1)
    validation: int = setting(REQUIRED, at_least=1)
    evaluation: int = setting(REQUIRED, at_least=1)
    seed: int = setting(0, at_least=0)
    min_pixels: int = setting(1024, at_least=1)
    max_foreground: float = setting(0.9, above=0, at_most=1)
    zero_as_background: bool = False
    guidance_channels: int = setting(128, at_least=1)
    shot_fusion: str = "avg"
    tau: float = setting(
        0.5,
        at_least=0,
        below=1,
        why="compared with a probability; 0.5 takes what is more likely the novel class than not",
    )
    trained: str | None = setting(None, path=True)


@dataclass
class SGOneData(CropData, NovelData):
    """``configs/data``, for training and for novel classes."""


@dataclass
class SGOneSettings(TrainingSettings):
    """Settings of SG-One."""

    data: SGOneData = field(default_factory=SGOneData)
    checkpoint: str | None = setting(None, path=True)
    backbone: dict[str, Any] | None = setting(None, path=("weights",))
    decoder: dict[str, Any] | None = None
    loss: dict[str, Any] = REQUIRED
    episodes: EpisodeSettings = field(default_factory=EpisodeSettings)
    callbacks: CallbackSettings = field(default_factory=CallbackSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)


class SGOneTask(Task[SGOneSettings]):
    """Episodic training on base classes, few-shot evaluation on novel ones."""

    name = "sg_one"
    experiment = "sg_one"
    settings = SGOneSettings
    tiles = ("train", "stage1_val", "support", "query")
    needs_stage1 = True

    def check(self, settings: SGOneSettings, bench: Bench) -> None:
        """Parts that do not go together."""
        from terrashot.papers.sg_one.guidance.shot_fusion import checked_fusion
        from terrashot.papers.sg_one.network.build import VGG16
        from terrashot.papers.sg_one.training.optimizer import FAITHFUL

        check_novel_classes(settings)
        published = (settings.backbone or {}).get("name") == VGG16
        if (settings.backbone is None) != (settings.decoder is None) and not published:
            raise ConfigError(
                "backbone and decoder go together: choose both for a network of SG-One's own, or "
                "leave both null to start from the stage-1 network."
            )
        checked_fusion(settings.episodes.shot_fusion)
        _rules(settings)
        _check_loss(bench.build("loss"))
        if settings.strategy.name == "fsdp":
            raise ConfigError(
                "strategy=fsdp shards large networks; SG-One's is small. Use strategy=ddp."
            )
        if settings.optimizer.name == FAITHFUL and settings.scheduler.name != "constant":
            raise ConfigError(
                f"optimizer=sg_one_faithful learns at a constant rate, but scheduler="
                f"{settings.scheduler.name} was chosen. Add scheduler=constant, or take "
                "optimizer=adamw."
            )

    def monitored(self, settings: SGOneSettings) -> list[str]:
        """Scores over the fixed episodes of base classes."""
        classes = [f"val/episode_iou/{land.name}" for land in taxonomy_of(settings).base]
        return ["val/loss", "val/episode_miou", "val/episode_fb_iou", *classes]

    def metrics(self, settings: SGOneSettings) -> list[str]:
        """Scores of the map of all classes, and of the episodes of novel classes."""
        taxonomy = taxonomy_of(settings)
        scores = ("base", "novel", "weighted", "mean", "harmonic")
        whole = [f"test/{s}_miou" for s in scores]
        whole += ["test/pixel_accuracy", *(f"test/iou/{c}" for c in taxonomy.names)]
        few = [
            f"test/{shots}_{score}"
            for shots in ("one_shot", "all_shots")
            for score in ("miou", "fb_iou", *(f"iou/{land.name}" for land in taxonomy.novel))
        ]
        return [*whole, *few]

    def sweep_score(self, settings: SGOneSettings) -> str:
        """The few-shot score with all support tiles."""
        return "all_shots"

    def sweep_scores(self, settings: SGOneSettings, results: Mapping[str, Any]) -> dict[str, Any]:
        """Few-shot mIoU beside imprinting's, then the scores that every stage-2 method has."""
        metrics = results["metrics"]
        found = {n: metrics.get(f"test/{n}_miou") for n in ("one_shot", "all_shots")}
        for name, scores in results["episodes"].items():
            if name.startswith("imprinting"):
                found[name] = scores["test/episode_miou"]
        return {**found, **{name: metrics.get(key) for name, key in _SCORES.items()}}

    def run(self, settings: SGOneSettings, run: Run) -> None:
        """Train on base classes, going on from last.ckpt if there; test on novel classes."""
        from terrashot.callbacks.prediction_panels import PredictionPanels
        from terrashot.model.stage1_file import find_checkpoint, load_base_model
        from terrashot.papers.sg_one.evaluation.few_shot_evaluation import (
            EvaluationRules,
            FewShotEvaluation,
        )
        from terrashot.papers.sg_one.figures.episode_panels import EpisodePanels
        from terrashot.papers.sg_one.network.checkpoint import load_sg_one

        episodes, adaptation = settings.episodes, settings.adaptation
        data = _data(settings, run)
        stage1 = run.stage1_checkpoint()
        base = load_base_model(stage1, data.taxonomy)
        run.update_info(checkpoint=str(stage1.resolve()))
        run.start(
            EpisodePanels(run.path, settings.callbacks.panels, data.spec),
            PredictionPanels(run.path, data.taxonomy, adaptation.panels),
            trains=episodes.trained is None,
        )
        run.say(f"stage-1 network: {stage1}")
        if episodes.trained is None:
            network = _train(settings, run, data, base.segmenter)
        else:
            path = find_checkpoint(episodes.trained)
            network = load_sg_one(path, data.taxonomy)
            run.say(f"SG-One network: {path}")
        module = FewShotEvaluation(
            network,
            base.segmenter,
            data.taxonomy,
            EvaluationRules(
                count=episodes.evaluation,
                seed=episodes.seed,
                min_pixels=episodes.min_pixels,
                shot_fusion=episodes.shot_fusion,
                tau=episodes.tau,
                feature_stride=adaptation.feature_stride,
                base_weight=adaptation.base_weight,
                novel_weight=adaptation.novel_weight,
            ),
            run.feature_cache(stage1, base.segmenter.stride),
        )
        run.test(module, data)
        if run.is_first:
            _report(settings, run, module.result, data)


def _check_loss(loss: object) -> None:
    from terrashot.losses.ldam import LDAM

    if isinstance(loss, LDAM):
        raise ConfigError(
            "loss: LDAM counts the pixels of each class, but an episode has foreground and "
            "background only. Choose loss=ce, ce_dice or focal."
        )
    if not getattr(loss, "needs_labels", True):
        raise ConfigError(
            f"loss: {type(loss).__name__} compares windows and knows no labels, but an episode has "
            "a mask. Choose loss=ce, ce_dice or focal."
        )


def _rules(settings: SGOneSettings) -> "EpisodeRules":
    """What a window of an episode must show.

    Raises:
        ConfigError: a number out of its range.
    """
    from terrashot.papers.sg_one.episodes.rules import EpisodeRules

    episodes = settings.episodes
    return EpisodeRules(
        crop=crop_of(settings, settings.data.crop),
        min_pixels=episodes.min_pixels,
        max_foreground=episodes.max_foreground,
        zero_as_background=episodes.zero_as_background,
    )


def _data(settings: SGOneSettings, run: Run) -> "EpisodeDataModule":
    from terrashot.data.transforms import TrainTransform
    from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule

    transform = None
    if settings.augmentation:
        spec = run.image_spec()
        rgb = spec.rgb if spec.has_colors else None
        crop = crop_of(settings, settings.augmentation.get("crop"))
        config = {**settings.augmentation, "crop": crop}
        transform = build_augmentation(TrainTransform, config, "default", rgb=rgb)
    return EpisodeDataModule(
        train_transform=transform,
        rules=_rules(settings),
        train_episodes=settings.episodes.per_epoch,
        val_episodes=settings.episodes.validation,
        val_seed=settings.episodes.seed,
        **run.tiles(),
    )


def _train(
    settings: SGOneSettings, run: Run, data: "EpisodeDataModule", segmenter: "Segmenter"
) -> "SGOneNetwork":
    """Train and return the network of the best validation."""
    from terrashot.model.stage1_file import find_checkpoint
    from terrashot.papers.sg_one.network.checkpoint import load_sg_one
    from terrashot.papers.sg_one.training.segmentation import SGOneSegmentation

    network = _network(settings, run, segmenter)
    module = SGOneSegmentation(network, run.build("loss"), _plan(settings, run), data.taxonomy)
    run.fit(module, data, network=network)
    return load_sg_one(find_checkpoint(str(run.path)), data.taxonomy)


def _network(settings: SGOneSettings, run: Run, segmenter: "Segmenter") -> "SGOneNetwork":
    """The network before training: on the stage-1 network, or on a backbone of its own."""
    from terrashot.networks.build import described
    from terrashot.papers.sg_one.network.build import build_sg_one, load_sg_one_weights, sg_one_on

    channels, backbone = settings.episodes.guidance_channels, settings.backbone
    if backbone is None:
        run.say("encoder and decoder start as the stage-1 network's")
        return sg_one_on(segmenter, channels)
    network = build_sg_one(
        {
            "backbone": backbone,
            "decoder": settings.decoder,
            **described(run.image_spec()),
            "guidance_channels": channels,
        }
    )
    report = load_sg_one_weights(
        network,
        backbone.get("weights"),
        backbone.get("source", "timm"),
        backbone.get("clip_model"),
    )
    run.say(f"{backbone['name']}, {report.summary()}")
    return network


def _plan(settings: SGOneSettings, run: Run) -> "OptimizationPlan | FaithfulPlan":
    from terrashot.papers.sg_one.training.optimizer import FAITHFUL, FaithfulPlan

    optimizer = settings.optimizer
    if optimizer.name == FAITHFUL:
        return FaithfulPlan(optimizer.lr, optimizer.weight_decay, optimizer.momentum)
    plan = run.plan()
    if settings.backbone is None and optimizer.encoder_lr is None:
        # As with pretrained weights: large steps would undo what stage 1 has learned.
        return replace(plan, encoder_lr=plan.lr / 10)
    return plan


def _report(
    settings: SGOneSettings, run: Run, result: "FewShotResult", data: "EpisodeDataModule"
) -> None:
    """Figures, results.json, the two tables."""
    from terrashot.callbacks.score_report import report_scores
    from terrashot.files import without_nan
    from terrashot.papers.sg_one.evaluation import few_shot_evaluation as evaluation
    from terrashot.papers.sg_one.figures.episode_table import episode_table
    from terrashot.reporting.class_table import class_table

    taxonomy, episodes = data.taxonomy, settings.episodes
    shots = max(len(tiles) for tiles in data.layout.support.values())
    base, imprinted = result.maps[evaluation.BASE], result.maps[evaluation.IMPRINTED]
    references = {"base model": base, "imprinting": imprinted}
    step, loggers = run.trainer.global_step, run.trainer.loggers
    report_scores(loggers, run.path, result.confusion, taxonomy, "test", step, references)
    named = {
        "SG-One 1 shot": result.episodes[evaluation.ONE],
        "imprinting 1 shot": result.episodes[evaluation.ONE_IMPRINTED],
        f"SG-One {shots} shots": result.episodes[evaluation.ALL],
        f"imprinting {shots} shots": result.episodes[evaluation.ALL_IMPRINTED],
    }
    content = {
        "base_model": without_nan(base.as_metrics("test", taxonomy)),
        "imprinting": without_nan(imprinted.as_metrics("test", taxonomy)),
        "episodes": {name: without_nan(s.as_metrics("test/episode")) for name, s in named.items()},
        "shots": shots,
        "queries": result.queries,
        "seconds_per_query": result.seconds_per_query,
        "data": {"name": settings.data.name, "split": settings.data.split},
        "checkpoint": str(run.stage1_checkpoint()),
        "method": f"sg_one, {episodes.shot_fusion}",
    }
    run.write_results(run.metrics(), content, result.confusion, taxonomy)
    about = f"{settings.data.name} {settings.data.split}"
    scores = result.maps[evaluation.MERGED]
    title = f"{about}: novel classes one at a time, IoU over {episodes.evaluation} episodes"
    run.console.print(episode_table(named, taxonomy.novel, title))
    title = f"{about}: one map of all classes, {result.queries} query tiles"
    run.console.print(class_table(scores, taxonomy, title, references))
    run.say(f"{result.seconds_per_query:.2f} s a query")
    run.close("test/weighted_miou", scores.weighted_miou)
