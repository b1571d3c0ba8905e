"""SG-One as a task of `run.py`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from terrashot.papers.sg_one.settings import SGOneSettings
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import check_novel_classes, crop_of, taxonomy_of
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
    from terrashot.papers.sg_one.evaluation.few_shot_evaluation import FewShotResult

_SCORES = {"base": "test/base_miou", "novel": "test/novel_miou", "weighted": "test/weighted_miou"}


class SGOneTask(Task[SGOneSettings]):
    """Episodic training on base classes, few-shot evaluation on novel ones."""

    name = "sg_one"
    experiment = "sg_one"
    settings = SGOneSettings
    tiles = ("train", "stage1_val", "support", "query")
    needs_stage1 = True

    def check(self, settings: SGOneSettings, bench: Bench) -> None:
        """Parts that do not go together."""
        from terrashot.papers.sg_one.training.episodic import check_episodic

        check_novel_classes(settings)
        check_episodic(settings, bench)

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
        from terrashot.model.stage1_file import load_base_model
        from terrashot.papers.sg_one.evaluation.few_shot_evaluation import (
            EvaluationRules,
            FewShotEvaluation,
        )
        from terrashot.papers.sg_one.figures.episode_panels import EpisodePanels
        from terrashot.papers.sg_one.training.episodic import trained_network

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
        network = trained_network(settings, run, data, base.segmenter)
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
            run.feature_cache(stage1, base.segmenter),
        )
        run.test(module, data)
        if run.is_first:
            _report(settings, run, module.result, data)


def _data(settings: SGOneSettings, run: Run) -> "EpisodeDataModule":
    from terrashot.data.transforms import TrainTransform
    from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
    from terrashot.papers.sg_one.training.episodic import episode_rules

    transform = None
    if settings.augmentation:
        spec = run.image_spec()
        rgb = spec.rgb if spec.has_colors else None
        crop = crop_of(settings, settings.augmentation.get("crop"))
        config = {**settings.augmentation, "crop": crop}
        transform = build_augmentation(TrainTransform, config, "default", rgb=rgb)
    return EpisodeDataModule(
        train_transform=transform,
        rules=episode_rules(settings),
        train_episodes=settings.episodes.per_epoch,
        val_episodes=settings.episodes.validation,
        val_seed=settings.episodes.seed,
        **run.tiles(),
    )


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
