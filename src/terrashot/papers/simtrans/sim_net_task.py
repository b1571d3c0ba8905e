"""Training a SimNet as a task of `run.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.settings import SimNetSettings
from terrashot.tasks.task import Bench, Run, Task, following_data, taxonomy_of

if TYPE_CHECKING:
    from terrashot.papers.simtrans.network.sim_net import SimNet
    from terrashot.papers.simtrans.patches.pair_units import PairUnits
    from terrashot.papers.simtrans.training.sim_net import SimNetTraining


class SimNetTask(Task[SimNetSettings]):
    """Training a SimNet on base classes."""

    name = "sim_net"
    experiment = "simnet"
    settings = SimNetSettings
    tiles = ("train", "stage1_val", "support")

    def check(self, settings: SimNetSettings, bench: Bench) -> None:
        """Names of classes, and what two optimizers by hand rule out."""
        units = settings.units
        if settings.trainer.gradient_clip_val is not None:
            raise ConfigError(
                "trainer.gradient_clip_val cannot be used with SimNet, whose two optimizers step "
                "by hand. Set trainer.gradient_clip_val=null."
            )
        if settings.trainer.accumulate_grad_batches != 1:
            raise ConfigError(
                "trainer.accumulate_grad_batches must be 1 with SimNet, whose pairs are formed "
                "inside one batch. Raise units.batch_size instead."
            )
        names = [c.name for c in taxonomy_of(settings).base]
        held = units.held_out
        if held is not None and (not held or not set(held) <= set(names)):
            raise ConfigError(
                f"units.held_out is {held}, but it needs one or more of the base classes "
                f"{', '.join(names)}; null chooses."
            )
        if len(names) - len(held or names[:1]) < 2:
            raise ConfigError(
                f"SimNet trains on at least two base classes beside the held-out ones, but "
                f"data={settings.data.name} has {', '.join(names)} in all. Hold fewer out with "
                "units.held_out, or use data with more base classes."
            )
        if units.kind == "windows" and settings.backbone is None:
            raise ConfigError(
                "backbone is null, but units=windows trains one. Choose one, for example "
                "backbone=mobilenetv2."
            )
        self.inputs(settings, bench)

    def inputs(self, settings: SimNetSettings, bench: Bench) -> Sequence[Path]:
        """For pixels the stage-1 checkpoint that their features come from."""
        return [bench.stage1_checkpoint()] if settings.units.kind == "pixels" else []

    def metrics(self, settings: SimNetSettings) -> list[str]:
        """Scores on pairs of held-out classes."""
        return ["val/pair_ap", "val/pair_f1"]

    def sweep_score(self, settings: SimNetSettings) -> str:
        """What the best checkpoint is chosen by."""
        return settings.callbacks.monitor

    def run(self, settings: SimNetSettings, run: Run) -> None:
        """Train on pairs of base units, going on from last.ckpt where the folder has one."""
        from terrashot.data.datamodule import FewShotDataModule
        from terrashot.papers.simtrans.patches.pair_units import build_units
        from terrashot.papers.simtrans.patches.units import PairDataModule
        from terrashot.papers.simtrans.training.sim_net import SimNetTraining

        options = settings.units
        data = FewShotDataModule(**run.tiles())
        data.prepare_data()
        units = build_units(settings, run, data)
        run.update_info(units=options.kind, stage1=units.about.get("stage1"))
        network, told = _network(settings, run, units)
        module = SimNetTraining(
            network,
            run.plan(),
            units.held_out,
            beta=options.beta,
            warm_up=options.warm_up,
            similar_weight=options.similar_weight,
            across_tiles=options.across_tiles,
            about=units.about,
        )
        pairs = PairDataModule(
            units.train,
            units.val,
            units.novel,
            batch_size=options.batch_size,
            classes=options.classes,
            novel_classes=options.novel_classes,
            val_per_class=options.val_per_class,
            seed=settings.seed,
            num_workers=settings.data.num_workers,
        )
        run.start()
        held = ", ".join(units.about["held_out"])
        run.say(f"{told}; {len(units.train)} {options.kind} to train on, held out: {held}")
        run.fit(module, pairs)
        if run.is_first:
            _report(settings, run, module, data.taxonomy.names, units.about["held_out"])


def _network(settings: SimNetSettings, run: Run, units: "PairUnits") -> "tuple[SimNet, str]":
    """The SimNet with the weights that it starts from, and what to say of it."""
    from terrashot.papers.simtrans.network.pair_head import PairHead
    from terrashot.papers.simtrans.network.sim_net import SimNet
    from terrashot.papers.simtrans.network.start import start_encoder

    options = settings.units
    if units.anchors is not None:
        classes, kept, channels = units.anchors.shape
        head = PairHead(channels, options.head, options.symmetric)
        network = SimNet(head, None, classes, kept)
        network.anchors.copy_(units.anchors)
        head.standardise(units.anchors.flatten(0, 1))
        return network, f"pixels with {channels} features of the stage-1 network"
    spec = run.image_spec()
    encoder, told = start_encoder(settings.backbone or {}, spec.mean, spec.std)
    head = PairHead(encoder.channels, options.head, options.symmetric)
    return SimNet(head, encoder), told


def _report(
    settings: SimNetSettings,
    run: Run,
    module: "SimNetTraining",
    class_names: list[str],
    held_out: list[str],
) -> None:
    """Figure, results.json, the table."""
    from terrashot.callbacks.media import log_picture
    from terrashot.files import without_nan
    from terrashot.papers.simtrans.figures.pair_figure import pair_figure
    from terrashot.papers.simtrans.figures.value_table import value_table
    from terrashot.reporting.figures import figure_to_array, save_figure

    scores, options = module.scores, settings.units
    names = [class_names[i] for i in scores.classes]
    figure = pair_figure(scores.between, names, held_out)
    save_figure(figure, run.path / "figures" / "similarity.png")
    trainer = run.trainer
    picture = figure_to_array(figure)
    log_picture(trainer.loggers, "val/similarity", picture, trainer.global_step)
    monitor, best = settings.callbacks.monitor, run.best_score()
    run.write_results(
        run.metrics(),
        {
            "best": without_nan({monitor: best}),
            "units": options.kind,
            "held_out": held_out,
            "pairs": scores.pairs,
            "similar_share": round(scores.similar_share, 6),
            "classes": names,
            "between": [[round(v, 4) for v in row] for row in scores.between.tolist()],
        },
    )
    run.console.print(
        value_table(
            f"Pairs with {', '.join(held_out)}, never trained on (last validation)",
            {
                "pairs": scores.pairs,
                "of one class": scores.similar_share,
                "average precision": scores.ap,
                "F1": scores.f1,
            },
        )
    )
    following = "weak_shot" if options.kind == "windows" else "stage2 support_weighting=simnet"
    run.close(monitor, best, f"python run.py experiment={following}{following_data(settings)}")
