"""Training a SimNet, from settings to results.json and the closing table."""

from rich.console import Console

from terrashot.app.build import (
    build_checkpoint_callbacks,
    build_data,
    build_plan,
    build_trainer,
)
from terrashot.app.console import announce, run_console
from terrashot.app.loggers import build_loggers
from terrashot.app.pair_units import PairUnits, build_units
from terrashot.app.results import without_nan
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.app.window_encoder import build_window_encoder
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.callbacks.first_checkpoint import FirstCheckpoint
from terrashot.callbacks.media import log_picture
from terrashot.files import write_json
from terrashot.papers.simtrans.figures.pair_figure import pair_figure
from terrashot.papers.simtrans.figures.value_table import value_table
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.sim_net import SimNet
from terrashot.papers.simtrans.patches.units import PairDataModule
from terrashot.papers.simtrans.training.sim_net import SimNetTraining
from terrashot.reporting.curves_figure import curves_figure
from terrashot.reporting.figures import figure_to_array, save_figure
from terrashot.reporting.run_summary import print_run_summary


def run_sim_net(settings: Settings, folder: RunFolder) -> None:
    """Train on pairs of base units, going on from last.ckpt where the folder has one."""
    units_settings = settings.units
    assert units_settings is not None
    data = build_data(settings)
    data.prepare_data()
    # Before there is a trainer: what it says of the features must not wait for one.
    units = build_units(settings, data, Console())
    folder.update_info(units=units_settings.kind, stage1=units.about.get("stage1"))
    network, told = _network(settings, units)
    module = SimNetTraining(
        network,
        build_plan(settings),
        units.held_out,
        beta=units_settings.beta,
        warm_up=units_settings.warm_up,
        similar_weight=units_settings.similar_weight,
        across_tiles=units_settings.across_tiles,
        about=units.about,
    )
    pairs = PairDataModule(
        units.train,
        units.val,
        units.novel,
        batch_size=units_settings.batch_size,
        classes=units_settings.classes,
        novel_classes=units_settings.novel_classes,
        val_per_class=units_settings.val_per_class,
        seed=settings.seed,
        num_workers=settings.data.num_workers,
    )
    last = folder.checkpoints / "last.ckpt"
    callbacks = [
        EpochSeed(settings.seed),
        FirstCheckpoint(last),
        console_progress(),
        *build_checkpoint_callbacks(settings, folder),
    ]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    held = ", ".join(units.about["held_out"])
    console.print(
        f"{told}; {len(units.train)} {units_settings.kind} to train on, held out: {held}",
        highlight=False,
        soft_wrap=True,
    )
    trainer.fit(module, pairs, ckpt_path=last if last.is_file() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if not trainer.is_global_zero:
        return
    scores = module.scores
    names = [data.taxonomy.names[i] for i in scores.classes]
    figure = pair_figure(scores.between, names, units.about["held_out"])
    save_figure(figure, folder.figures / "similarity.png")
    log_picture(trainer.loggers, "val/similarity", figure_to_array(figure), trainer.global_step)
    curves = folder.path / "metrics.csv"
    if curves.is_file():
        save_figure(curves_figure(curves), folder.figures / "curves.png")
    monitor = settings.callbacks.monitor
    best = getattr(trainer.checkpoint_callback, "best_model_score", None)
    value = float("nan") if best is None else float(best)
    write_json(
        folder.results,
        {
            "metrics": without_nan({k: float(v) for k, v in trainer.callback_metrics.items()}),
            "best": without_nan({monitor: value}),
            "units": units_settings.kind,
            "held_out": units.about["held_out"],
            "pairs": scores.pairs,
            "similar_share": round(scores.similar_share, 6),
            "classes": names,
            "between": [[round(v, 4) for v in row] for row in scores.between.tolist()],
        },
    )
    console.print(
        value_table(
            f"Pairs with {held}, never trained on (last validation)",
            {
                "pairs": scores.pairs,
                "of one class": scores.similar_share,
                "average precision": scores.ap,
                "F1": scores.f1,
            },
        )
    )
    print_run_summary(console, monitor, value, folder.path, _following(settings))


def _network(settings: Settings, units: PairUnits) -> tuple[SimNet, str]:
    """The SimNet with the weights that it starts from, and what to say of it."""
    options = settings.units
    assert options is not None
    if options.kind == "pixels":
        assert units.anchors is not None
        classes, kept, channels = units.anchors.shape
        head = PairHead(channels, options.head, options.symmetric)
        network = SimNet(head, None, classes, kept)
        network.anchors.copy_(units.anchors)
        head.standardise(units.anchors.flatten(0, 1))
        return network, f"pixels with {channels} features of the stage-1 network"
    encoder, told = build_window_encoder(settings)
    network = SimNet(PairHead(encoder.channels, options.head, options.symmetric), encoder)
    return network, told


def _following(settings: Settings) -> str:
    assert settings.units is not None
    task = "weak_shot"
    if settings.units.kind == "pixels":
        task = "stage2 support_weighting=simnet"
    data = "" if settings.data.name == "demo" else f" data={settings.data.name}"
    return f"python run.py experiment={task}{data}"
