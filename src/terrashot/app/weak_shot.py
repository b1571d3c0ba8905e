"""Weak-shot classification, from settings to results.json and the closing table."""

from dataclasses import fields

import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from terrashot.app.build import build_data, build_part, build_plan, build_trainer
from terrashot.app.console import announce, run_console
from terrashot.app.hardware import resolve_accelerator
from terrashot.app.loggers import build_loggers
from terrashot.app.pair_units import window_transform
from terrashot.app.results import without_nan
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.app.sim_net_checkpoint import needs_sim_net, window_sim_net
from terrashot.app.window_encoder import build_window_encoder
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.callbacks.first_checkpoint import FirstCheckpoint
from terrashot.callbacks.media import log_picture
from terrashot.errors import ConfigError
from terrashot.files import write_json
from terrashot.papers.simtrans.figures.value_table import value_table
from terrashot.papers.simtrans.figures.weights_figure import weights_figure
from terrashot.papers.simtrans.losses.graph_regularisation import GraphRegularisation
from terrashot.papers.simtrans.network.sim_net import SimNet
from terrashot.papers.simtrans.patches.weak_shot import WeakShotData
from terrashot.papers.simtrans.training.weak_shot import WeakShotClassifier
from terrashot.papers.simtrans.training.window_weights import (
    Weighting,
    weight_quality,
    window_weights,
)
from terrashot.reporting.figures import figure_to_array, save_figure
from terrashot.reporting.run_summary import print_run_summary


def run_weak_shot(settings: Settings, folder: RunFolder) -> None:
    """Weigh the noisy windows, train on them, score on clean ones."""
    options = settings.weak_shot
    assert options is not None
    data = build_data(settings)
    data.prepare_data()
    taxonomy = data.taxonomy
    weighting = _weighting(settings)
    alternate = options.schedule == "alternate" and options.alpha > 0
    sizes = [options.batch_size, *([options.graph_batch_size] if alternate else [])]
    windows = WeakShotData(
        data,
        settings.data.window,
        build_part("noise", settings.noise),
        with_base=options.classes == "all",
        base_windows=options.base_windows,
        batch_sizes=sizes,
        transform=window_transform(settings),
        anchors=weighting.anchors,
        left_out=settings.data.no_windows,
        seed=settings.seed,
    )
    novel = windows.novel_ids
    encoder, told = build_window_encoder(settings)
    sim_net = window_sim_net(settings).network if needs_sim_net(settings) else None
    weights = _weights(settings, windows, sim_net, weighting)
    quality = weight_quality(weights, windows.windows, novel)
    graph = None
    if options.alpha:
        graph = GraphRegularisation(
            options.mu, options.graph, options.normalise, options.same_label
        )
    base = taxonomy.base_ids if options.classes == "all" else []
    module = WeakShotClassifier(
        encoder,
        [*base, *novel],
        novel,
        weights,
        build_plan(settings),
        graph,
        options.alpha,
        sim_net if graph is not None else None,
    )
    last = folder.checkpoints / "last.ckpt"
    callbacks: list[Callback] = [
        EpochSeed(settings.seed),
        FirstCheckpoint(last),
        console_progress(),
        ModelCheckpoint(
            dirpath=folder.checkpoints,
            filename="last",
            every_n_epochs=1,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
    ]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    windows.trainer = trainer
    module.graph_from = windows.first_pass if alternate else 0
    console = run_console(trainer)
    announce(console, settings, folder)
    noisy = sum(p.label in novel for p in windows.windows.patches)
    console.print(
        f"{told}; {noisy} noisy novel windows, {quality['weights/clean_share']:.0%} of them right",
        highlight=False,
        soft_wrap=True,
    )
    trainer.fit(module, windows, ckpt_path=last if last.is_file() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    trainer.test(module, windows, verbose=False, weights_only=True)
    if not trainer.is_global_zero:
        return
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items()} | quality
    for logger in trainer.loggers:
        logger.log_metrics(quality, step=trainer.global_step)
    figure = weights_figure(weights, windows.windows, taxonomy)
    save_figure(figure, folder.figures / "weights.png")
    log_picture(trainer.loggers, "test/weights", figure_to_array(figure), trainer.global_step)
    noise = str((settings.noise or {})["_target_"]).rpartition(".")[2]
    write_json(
        folder.results,
        {
            "metrics": without_nan(metrics),
            "noise": noise,
            "windows": {"noisy": noisy, "train": len(windows.windows), "test": len(windows.test)},
            "outputs": [taxonomy.names[i] for i in module.class_ids],
            "confusion": module.confusion.tolist(),
        },
    )
    shown = {k: v for k, v in metrics.items() if k.startswith(("test/", "weights/"))}
    console.print(value_table(f"{len(windows.test)} clean test windows, {noise}", shown))
    name = "test/novel_accuracy"
    print_run_summary(console, name, metrics[name], folder.path)


def _weighting(settings: Settings) -> Weighting:
    assert settings.weak_shot is not None
    known = [f.name for f in fields(Weighting)]
    strange = [key for key in settings.weak_shot.weights if key not in known]
    if strange:
        raise ConfigError(
            f"weak_shot.weights.{strange[0]} is no setting of the weights, which have: "
            f"{', '.join(known)}."
        )
    return Weighting(**settings.weak_shot.weights)


def _weights(
    settings: Settings, windows: WeakShotData, sim_net: SimNet | None, weighting: Weighting
) -> torch.Tensor:
    """The weight of each training window, the same on every process."""
    if sim_net is None or weighting.kind == "none":
        return torch.ones(len(windows.windows))
    cuda = resolve_accelerator(settings.trainer.accelerator) == "cuda"
    device = torch.device("cuda" if cuda else "cpu")
    return window_weights(
        sim_net.to(device),
        windows.windows,
        windows.novel_ids,
        windows.anchor_windows,
        list(windows.anchors.values()),
        weighting,
        settings.seed,
        device,
    )
