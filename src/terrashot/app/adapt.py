"""Adapt once: from settings to a file that maps without the support set."""

import time
from pathlib import Path

from lightning import Trainer
from rich.console import Console

from terrashot.adaptation.support.storage import storage_type
from terrashot.app.build import (
    build_data,
    build_feature_cache,
    build_method,
    build_part,
    build_trainer,
    uses_query,
)
from terrashot.app.console import announce, run_console
from terrashot.app.joint import build_joint
from terrashot.app.loggers import build_loggers
from terrashot.app.postprocess import build_postprocess
from terrashot.app.run_folder import RunFolder, git_revision
from terrashot.app.settings import Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.app.stage2_results import publish_scores, publish_similarity
from terrashot.app.unlabelled import unlabelled_tiles
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.prediction_panels import PredictionPanels
from terrashot.data.datamodule import FewShotDataModule
from terrashot.files import file_digest, write_json
from terrashot.model.adapt_once import adapt_once
from terrashot.model.adapted_file import FILE_NAME, load_adapted_model, save_adapted_model
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.stage1_file import load_base_model
from terrashot.model.support_fit import SupportFit
from terrashot.model.tile_network import TileNetwork, stride_factor
from terrashot.reporting.run_summary import short_path
from terrashot.tasks.adapted_evaluation import AdaptedEvaluation
from terrashot.tasks.query_counts import QueryStore
from terrashot.tasks.query_maps import QueryMaps


def run_adapt_once(settings: Settings, folder: RunFolder) -> None:
    """Make ``adapted.ckpt``, unless an interrupted run has, and score it."""
    data = build_data(settings)
    data.prepare_data()
    checkpoint = stage1_checkpoint(settings)
    folder.update_info(checkpoint=str(checkpoint.resolve()))
    panels = PredictionPanels(
        folder.path, data.taxonomy, settings.adaptation.panels, read_image=data.query_image
    )
    callbacks = [console_progress(), panels]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    console.print(f"stage-1 network: {checkpoint}", highlight=False, soft_wrap=True)
    file = folder.path / FILE_NAME
    if not file.is_file():
        _adapt(settings, folder, data, checkpoint, file, trainer, console)
    # The file is scored, not what is still in memory: the numbers are those of the maps to come.
    model = load_adapted_model(file)
    data.feature_cache = build_feature_cache(settings, checkpoint, model.stride)
    seconds = model.provenance["seconds"]
    console.print(
        f"adapted in {seconds:.1f} s: {', '.join(c.name for c in model.taxonomy.novel)} learned "
        f"from {sum(map(len, model.provenance['support'].values()))} tiles",
        highlight=False,
        soft_wrap=True,
    )
    extra = {
        "protocol": "adapt once",
        "checkpoint": str(checkpoint),
        "adaptation_seconds": seconds,
        "diverged": model.provenance["diverged"],
        "similarity": model.provenance["similarity"],
        "file": FILE_NAME,
    }
    # The scores below are those of maps made this way.
    views = " mapping.views=flips" if model.inference.flips == "hv" else ""
    next_command = (
        f"python run.py experiment=predict ckpt={short_path(file)} input=SCENES output=MAPS{views}"
    )
    if not (settings.adapt.evaluate and data.layout.has_labelled_queries):
        why = "no labelled query tiles" if settings.adapt.evaluate else "adapt.evaluate=false"
        write_json(folder.results, {"metrics": {}, "method": model.provenance["method"], **extra})
        console.print(
            f"not scored: {why}\n{short_path(file)}\nnext: {next_command}", soft_wrap=True
        )
        return
    rules = build_postprocess(settings)
    maps = folder.path / "maps" if settings.adaptation.save_maps else None
    module = AdaptedEvaluation(
        model,
        QueryStore(folder.path / "queries"),
        base_weight=settings.adaptation.base_weight,
        novel_weight=settings.adaptation.novel_weight,
        maps=QueryMaps(data.taxonomy, data.eval_transform, rules, maps),
    )
    trainer.test(module, data, verbose=False, weights_only=True)
    publish_scores(
        settings, folder, trainer, console, data, module.result, rules, next_command, **extra
    )


def _adapt(
    settings: Settings,
    folder: RunFolder,
    data: FewShotDataModule,
    checkpoint: Path,
    file: Path,
    trainer: Trainer,
    console: Console,
) -> None:
    """Fit the method and write the file."""
    base = load_base_model(checkpoint, data.taxonomy)
    data.feature_cache = build_feature_cache(settings, checkpoint, base.segmenter.stride)
    device = trainer.strategy.root_device
    network = TileNetwork(
        base.segmenter.eval().requires_grad_(False).to(device),
        device,
        data.feature_cache,
        trainer.precision_plugin.forward_context,
    )
    adaptation, method = settings.adaptation, build_method(settings)
    factor = stride_factor(base.segmenter, adaptation.feature_stride)
    began = time.perf_counter()
    with console.status("adapting", spinner="line"):
        fit = SupportFit(
            method, network, data, factor, storage_type(adaptation.storage), settings.seed
        )
        unlabelled = unlabelled_tiles(settings, fit, data)
        head = adapt_once(
            fit, unlabelled, uses_query(settings), build_joint(settings), settings.seed
        )
    model = AdaptedModel(
        base.segmenter,
        head,
        data.taxonomy,
        build_part("inference", settings.inference),
        adaptation.align_corners,
    )
    info = {
        "method": method.name,
        "stage1": {
            "name": "/".join(checkpoint.resolve().parts[-4:]),  # stage1/DATE/checkpoints/best.ckpt
            "sha256": file_digest(checkpoint),
        },
        "data": {"name": settings.data.name, "split": settings.data.split},
        "support": {
            c.name: [tile.name for tile in data.layout.support[c.index]]
            for c in data.taxonomy.novel
        },
        "scenes": settings.input.path,
        "joint": adaptation.joint,
        "feature_stride": factor * base.segmenter.stride,
        "seed": settings.seed,
        "seconds": round(time.perf_counter() - began, 3),
        "diverged": head.diverged,
        "similarity": publish_similarity(settings, folder, trainer, method, data.taxonomy),
        "git": git_revision(),
        "run": folder.path.name,
    }
    save_adapted_model(file, model, info)
