"""Contrastive pretraining from settings to encoder.pt and the closing table."""

from lightning import Callback, Trainer

from terrashot.app.build import (
    build_part,
    build_plan,
    build_trainer,
    build_transform,
    last_checkpoint,
    tile_options,
)
from terrashot.app.console import announce, run_console
from terrashot.app.hardware import resolve_accelerator
from terrashot.app.loggers import build_loggers
from terrashot.app.results import without_nan
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.callbacks.first_checkpoint import FirstCheckpoint
from terrashot.errors import ConfigError
from terrashot.files import write_json
from terrashot.networks.backbone_weights import load_encoder_weights
from terrashot.networks.encoder_file import save_encoder
from terrashot.papers.false.figures.probe_table import probe_table
from terrashot.papers.false.figures.view_pairs import ViewPairs
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
from terrashot.papers.false.network.embedder import Embedder
from terrashot.papers.false.pretraining import ContrastivePretraining
from terrashot.papers.false.windows.datamodule import WindowDataModule
from terrashot.papers.false.windows.two_views import TwoViews
from terrashot.reporting.curves_figure import curves_figure
from terrashot.reporting.figures import save_figure
from terrashot.reporting.run_summary import print_run_summary, short_path

ENCODER_FILE = "encoder.pt"


def build_views(settings: Settings) -> TwoViews:
    """The two-view transform of the augmentation group."""
    return build_transform(TwoViews, settings, "two_views")


def build_contrastive_loss(settings: Settings) -> CalibratedContrastive:
    """The loss, checked against the size of the batch.

    Raises:
        ConfigError: another kind of loss, or a batch with too few negatives.
    """
    loss = build_part("loss", settings.loss)
    if not isinstance(loss, CalibratedContrastive):
        raise ConfigError(
            f"loss: {type(loss).__name__} compares pixels with labels, and pretraining has none. "
            "Choose loss=calibrated (FALSE), loss=calibrated_paper or loss=ntxent (SimCLR)."
        )
    loss.check_batch(settings.data.batch_size * settings.processes)
    return loss


def run_contrastive_pretraining(settings: Settings, folder: RunFolder) -> None:
    """Train the encoder, going on from last.ckpt where the folder has one."""
    options = settings.pretraining
    assert options is not None
    assert settings.backbone is not None
    data = WindowDataModule(
        views=build_views(settings),
        window=options.window,
        windows_per_tile=options.windows_per_tile,
        min_valid=options.min_valid,
        one_window_per_tile=options.one_window_per_tile,
        transductive=options.transductive,
        probe_windows=options.probe_windows,
        **tile_options(settings),
    )
    network = Embedder(
        settings.backbone["name"],
        settings.data.mean,
        settings.data.std,
        drop_path=settings.backbone.get("drop_path") or 0.0,
        head_hidden=options.head_hidden,
        head_dim=options.head_dim,
        head_relu=options.head_relu,
    )
    report = load_encoder_weights(
        network.encoder,
        settings.backbone["name"],
        settings.backbone.get("weights"),
        settings.backbone.get("source", "timm"),
        settings.backbone.get("clip_model"),
        statistics=(settings.data.mean, settings.data.std),
    )
    about = {
        "crop": options.view,
        "epochs": settings.trainer.max_epochs,
        "loss": settings.loss,
        "data": settings.data.name,
        "git": folder.read_info().get("git"),
    }
    module = ContrastivePretraining(
        network,
        build_contrastive_loss(settings),
        build_plan(settings),
        options.probe_neighbours,
        about,
    )
    last = folder.checkpoints / "last.ckpt"
    callbacks: list[Callback] = [
        EpochSeed(settings.seed),
        FirstCheckpoint(last),
        console_progress(),
        ViewPairs(folder.path, data.taxonomy, settings.callbacks.panels),
        last_checkpoint(folder),
    ]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    console.print(f"{settings.backbone['name']}, {report.summary()}", highlight=False)
    if settings.strategy.sync_batchnorm and resolve_accelerator("auto") == "cpu":
        console.print("batch norm is not synchronised: PyTorch does that on GPUs only")
    if settings.trainer.compile:
        module.network.compile()
    if not last.is_file() and options.probe_windows:
        # What the encoder was worth before: without it, the numbers after say little.
        trainer.validate(module, data, verbose=False, weights_only=True)
    trainer.fit(module, data, ckpt_path=last if last.is_file() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    metrics = dict(trainer.callback_metrics)
    if options.probe_windows and trainer.current_epoch % settings.trainer.check_val_every_n_epoch:
        trainer.validate(module, data, verbose=False, weights_only=True)  # the last epoch
        metrics |= trainer.callback_metrics
    if trainer.is_global_zero:
        _finish(settings, folder, module, trainer, {k: float(v) for k, v in metrics.items()})


def _finish(
    settings: Settings,
    folder: RunFolder,
    module: ContrastivePretraining,
    trainer: Trainer,
    metrics: dict[str, float],
) -> None:
    """Write encoder.pt, results.json and the curves; print the table."""
    console = run_console(trainer)
    encoder = folder.path / ENCODER_FILE
    save_encoder(encoder, module.network.encoder, module.network.description, module.about)
    after = module.scores.values if module.scores is not None else {}
    write_json(
        folder.results,
        {
            "metrics": without_nan(metrics),
            "before": without_nan({f"val/{k}": v for k, v in module.before.items()}),
            "encoder": ENCODER_FILE,
        },
    )
    curves = folder.path / "metrics.csv"
    if curves.is_file():
        figure = curves_figure(curves, score="kNN accuracy", ending="accuracy")
        save_figure(figure, folder.figures / "curves.png")
    backbone = settings.backbone or {}
    following = "python run.py experiment=stage1"
    if settings.data.name != "demo":
        following += f" data={settings.data.name}"
    if backbone["name"] != "mobilenetv2_100":  # the backbone that stage 1 has where none is named
        following += f" backbone=timm backbone.name={backbone['name']}"
    following += f" backbone.weights={short_path(encoder)}"
    if after:
        console.print(probe_table(module.before, after))
    monitor = settings.callbacks.monitor if after else "train/loss"
    print_run_summary(console, monitor, metrics[monitor], folder.path, following)
