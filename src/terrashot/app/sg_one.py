"""SG-One from settings to results.json and the closing tables."""

from dataclasses import replace

from lightning import Callback, Trainer
from rich.console import Console

from terrashot.app.build import (
    build_checkpoint_callbacks,
    build_feature_cache,
    build_part,
    build_plan,
    build_trainer,
    data_options,
)
from terrashot.app.console import announce, run_console
from terrashot.app.kinds.sg_one import episode_rules
from terrashot.app.loggers import build_loggers
from terrashot.app.results import without_nan, write_results
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import EpisodeSettings, Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.callbacks.first_checkpoint import FirstCheckpoint
from terrashot.callbacks.prediction_panels import PredictionPanels
from terrashot.callbacks.score_report import report_scores
from terrashot.model.stage1_file import find_checkpoint, load_base_model
from terrashot.networks.segmenter import Segmenter
from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
from terrashot.papers.sg_one.evaluation import few_shot_evaluation as evaluation
from terrashot.papers.sg_one.evaluation.few_shot_evaluation import (
    EvaluationRules,
    FewShotEvaluation,
    FewShotResult,
)
from terrashot.papers.sg_one.figures.episode_panels import EpisodePanels
from terrashot.papers.sg_one.figures.episode_table import episode_table
from terrashot.papers.sg_one.network.build import build_sg_one, load_sg_one_weights, sg_one_on
from terrashot.papers.sg_one.network.checkpoint import load_sg_one
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.papers.sg_one.training.optimizer import FAITHFUL, FaithfulPlan
from terrashot.papers.sg_one.training.segmentation import SGOneSegmentation
from terrashot.reporting.class_table import class_table
from terrashot.reporting.curves_figure import curves_figure
from terrashot.reporting.figures import save_figure
from terrashot.reporting.run_summary import print_run_summary
from terrashot.tasks.optimization import OptimizationPlan


def run_sg_one(settings: Settings, folder: RunFolder) -> None:
    """Train on base classes, going on from last.ckpt where there is one; test on novel classes."""
    episodes = settings.episodes
    assert episodes is not None
    data = _build_data(settings, episodes)
    stage1 = stage1_checkpoint(settings)
    base = load_base_model(stage1, data.taxonomy)
    folder.update_info(checkpoint=str(stage1.resolve()))
    callbacks: list[Callback] = [
        console_progress(),
        EpisodePanels(folder.path, settings.callbacks.panels),
        PredictionPanels(folder.path, data.taxonomy, settings.adaptation.panels),
    ]
    if episodes.trained is None:
        callbacks += [EpochSeed(settings.seed), FirstCheckpoint(folder.checkpoints / "last.ckpt")]
        callbacks += build_checkpoint_callbacks(settings, folder)
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    console.print(f"stage-1 network: {stage1}", highlight=False, soft_wrap=True)
    if episodes.trained is None:
        network = _train(settings, folder, data, base.segmenter, trainer, console)
    else:
        path = find_checkpoint(episodes.trained)
        network = load_sg_one(path, data.taxonomy)
        console.print(f"SG-One network: {path}", highlight=False, soft_wrap=True)
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
            feature_stride=settings.adaptation.feature_stride,
            base_weight=settings.adaptation.base_weight,
            novel_weight=settings.adaptation.novel_weight,
        ),
        build_feature_cache(settings, stage1, base.segmenter.stride),
    )
    trainer.test(module, data, verbose=False, weights_only=True)
    if trainer.is_global_zero:
        _report(settings, folder, module.result, trainer, console, data)


def _build_data(settings: Settings, episodes: EpisodeSettings) -> EpisodeDataModule:
    options = data_options(settings)
    return EpisodeDataModule(
        **options,
        rules=episode_rules(settings, options["taxonomy"]),
        train_episodes=episodes.per_epoch,
        val_episodes=episodes.validation,
        val_seed=episodes.seed,
    )


def _train(
    settings: Settings,
    folder: RunFolder,
    data: EpisodeDataModule,
    segmenter: Segmenter,
    trainer: Trainer,
    console: Console,
) -> SGOneNetwork:
    """Train and return the network of the best validation."""
    network = _build_network(settings, segmenter, console)
    loss = build_part("loss", settings.loss)
    module = SGOneSegmentation(network, loss, _plan(settings), data.taxonomy)
    last = folder.checkpoints / "last.ckpt"
    trainer.fit(module, data, ckpt_path=last if last.is_file() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    curves = folder.path / "metrics.csv"
    if trainer.is_global_zero and curves.is_file():
        save_figure(curves_figure(curves), folder.figures / "curves.png")
    return load_sg_one(find_checkpoint(str(folder.path)), data.taxonomy)


def _build_network(settings: Settings, segmenter: Segmenter, console: Console) -> SGOneNetwork:
    """The network before training: on the stage-1 network, or on a backbone of its own."""
    assert settings.episodes is not None
    channels = settings.episodes.guidance_channels
    if settings.backbone is None:
        console.print("encoder and decoder start as the stage-1 network's", highlight=False)
        return sg_one_on(segmenter, channels)
    network = build_sg_one(
        {
            "backbone": settings.backbone,
            "decoder": settings.decoder,
            "mean": settings.data.mean,
            "std": settings.data.std,
            "guidance_channels": channels,
        }
    )
    report = load_sg_one_weights(
        network,
        settings.backbone.get("weights"),
        settings.backbone.get("source", "timm"),
        settings.backbone.get("clip_model"),
    )
    console.print(f"{settings.backbone['name']}, {report.summary()}", highlight=False)
    return network


def _plan(settings: Settings) -> OptimizationPlan | FaithfulPlan:
    optimizer = settings.optimizer
    assert optimizer is not None
    if optimizer.name == FAITHFUL:
        return FaithfulPlan(optimizer.lr, optimizer.weight_decay, optimizer.momentum)
    plan = build_plan(settings)
    if settings.backbone is None and optimizer.encoder_lr is None:
        # As with pretrained weights: large steps would undo what stage 1 has learned.
        return replace(plan, encoder_lr=plan.lr / 10)
    return plan


def _report(
    settings: Settings,
    folder: RunFolder,
    result: FewShotResult,
    trainer: Trainer,
    console: Console,
    data: EpisodeDataModule,
) -> None:
    """Figures, results.json, the two tables."""
    taxonomy, episodes = data.taxonomy, settings.episodes
    assert episodes is not None
    shots = max(len(tiles) for tiles in data.layout.support.values())
    base, imprinted = result.maps[evaluation.BASE], result.maps[evaluation.IMPRINTED]
    references = {"base model": base, "imprinting": imprinted}
    report_scores(
        trainer.loggers,
        folder.path,
        result.confusion,
        taxonomy,
        "test",
        trainer.global_step,
        references,
    )
    named = {
        "SG-One 1 shot": result.episodes[evaluation.ONE],
        "imprinting 1 shot": result.episodes[evaluation.ONE_IMPRINTED],
        f"SG-One {shots} shots": result.episodes[evaluation.ALL],
        f"imprinting {shots} shots": result.episodes[evaluation.ALL_IMPRINTED],
    }
    extra = {
        "base_model": without_nan(base.as_metrics("test", taxonomy)),
        "imprinting": without_nan(imprinted.as_metrics("test", taxonomy)),
        "episodes": {name: without_nan(s.as_metrics("test/episode")) for name, s in named.items()},
        "shots": shots,
        "queries": result.queries,
        "seconds_per_query": result.seconds_per_query,
        "data": {"name": settings.data.name, "split": settings.data.split},
        "checkpoint": str(stage1_checkpoint(settings)),
        "method": f"sg_one, {episodes.shot_fusion}",
    }
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
    write_results(folder, metrics, result.confusion, taxonomy, extra)
    about = f"{settings.data.name} {settings.data.split}"
    scores = result.maps[evaluation.MERGED]
    title = f"{about}: novel classes one at a time, IoU over {episodes.evaluation} episodes"
    console.print(episode_table(named, taxonomy.novel, title))
    title = f"{about}: one map of all classes, {result.queries} query tiles"
    console.print(class_table(scores, taxonomy, title, references))
    console.print(f"{result.seconds_per_query:.2f} s a query", highlight=False)
    print_run_summary(console, "test/weighted_miou", scores.weighted_miou, folder.path)
