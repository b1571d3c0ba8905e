"""Stage 1 from settings to results.json and the closing table."""

import math

from lightning import Trainer

from terrashot.app.build import (
    build_checkpoint_callbacks,
    build_data,
    build_part,
    build_plan,
    build_trainer,
)
from terrashot.app.console import announce, run_console
from terrashot.app.hardware import resolve_accelerator
from terrashot.app.loggers import build_loggers
from terrashot.app.results import write_results
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.callbacks.first_checkpoint import FirstCheckpoint
from terrashot.callbacks.prediction_panels import PredictionPanels
from terrashot.callbacks.score_report import report_scores
from terrashot.errors import ConfigError
from terrashot.evaluation.scores import gfss_scores
from terrashot.losses.ldam import LDAM
from terrashot.networks.backbone_weights import load_backbone_weights
from terrashot.networks.build import build_segmenter
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
from terrashot.reporting.class_table import class_table
from terrashot.reporting.curves_figure import curves_figure
from terrashot.reporting.figures import save_for_paper
from terrashot.reporting.run_summary import print_run_summary
from terrashot.tasks.base_segmentation import BaseSegmentation


def run_base_segmentation(settings: Settings, folder: RunFolder) -> None:
    """Train on the base classes, going on from last.ckpt where the folder has one."""
    data = build_data(settings)
    taxonomy = data.taxonomy.base_only()
    loss = build_part("loss", settings.loss)
    if isinstance(loss, CalibratedContrastive):
        raise ConfigError(
            "loss: a contrastive loss compares windows and knows no classes, so stage 1 can't "
            "train with it. Choose loss=ce or another loss of stage 1, or run "
            "experiment=pretrain_false."
        )
    assert settings.backbone is not None
    segmenter = build_segmenter(
        {
            "backbone": settings.backbone,
            "decoder": settings.decoder,
            "num_classes": taxonomy.num_classes,
            "mean": settings.data.mean,
            "std": settings.data.std,
        }
    )
    report = load_backbone_weights(
        segmenter,
        settings.backbone.get("weights"),
        settings.backbone.get("source", "timm"),
        settings.backbone.get("clip_model"),
    )
    module = BaseSegmentation(segmenter, loss, build_plan(settings), taxonomy)
    last = folder.checkpoints / "last.ckpt"
    callbacks = [
        EpochSeed(settings.seed),
        FirstCheckpoint(last),
        console_progress(),
        PredictionPanels(folder.path, taxonomy, settings.callbacks.panels),
        *build_checkpoint_callbacks(settings, folder),
    ]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    console.print(f"{settings.backbone['name']}, {report.summary()}", highlight=False)
    if settings.strategy.sync_batchnorm and resolve_accelerator("auto") == "cpu":
        console.print("batch norm is not synchronised: PyTorch does that on GPUs only")
    if isinstance(loss, LDAM):
        data.prepare_data()
        loss.set_counts(data.train_label_counts())
    if settings.trainer.compile:
        module.segmenter.compile()
    trainer.fit(module, data, ckpt_path=last if last.is_file() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt

    scores = gfss_scores(module.last_confusion, taxonomy)
    best = _best_score(trainer)
    if not trainer.is_global_zero:
        return
    report_scores(
        trainer.loggers, folder.path, module.last_confusion, taxonomy, "val", trainer.global_step
    )
    curves = folder.path / "metrics.csv"
    if curves.is_file():
        save_for_paper(curves_figure(curves), folder.figures / "curves.png")
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
    monitor = settings.callbacks.monitor
    write_results(folder, metrics, module.last_confusion, taxonomy, {"best": {monitor: best}})
    console.print(class_table(scores, taxonomy, "Last validation: IoU by class"))
    following = "python run.py experiment=stage2"
    if settings.data.name != "demo":
        following += f" data={settings.data.name}"
    print_run_summary(console, monitor, best, folder.path, following)


def _best_score(trainer: Trainer) -> float:
    best = trainer.checkpoint_callback
    score = getattr(best, "best_model_score", None)
    return math.nan if score is None else float(score)
