"""Training a SimNet on tiles as a task of `run.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.settings import SimNetSettings
from terrashot.papers.simtrans.sim_net_run import (
    Start,
    check_classes,
    check_two_optimizers,
    start_window_encoder,
    train_sim_net,
)
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import taxonomy_of
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.papers.simtrans.patches.pair_units import PairUnits


class SimNetTask(Task[SimNetSettings]):
    """Training a SimNet on base classes."""

    name = "sim_net"
    experiment = "simnet"
    settings = SimNetSettings
    tiles = ("train", "stage1_val", "support")

    def check(self, settings: SimNetSettings, bench: Bench) -> None:
        """Names of classes, and what two optimizers by hand rule out."""
        units = settings.units
        check_two_optimizers(settings)
        check_classes(units, [c.name for c in taxonomy_of(settings).base], settings.data.name)
        if units.kind == "windows" and settings.backbone is None:
            raise ConfigError(
                "backbone is null, but units=windows trains one. Choose one, for example "
                "backbone=mobilenetv2."
            )
        if units.kind == "pixels" and units.start is not None:
            raise ConfigError(
                f"units.start is {units.start}, but units=pixels takes features of a stage-1 "
                "network and trains no encoder. Name that network with checkpoint=RUN."
            )
        if units.noisy_frac and units.across_tiles:
            raise ConfigError(
                "units.noisy_frac puts novel units among the base batches, whose tiles "
                "units.across_tiles=true does not know. Set one of them to 0 or false."
            )
        self.inputs(settings, bench)

    def inputs(self, settings: SimNetSettings, bench: Bench) -> Sequence[Path]:
        """For pixels the stage-1 checkpoint that their features come from; ``units.start``."""
        from terrashot.papers.simtrans.network.classifier_file import classifier_file

        start = settings.units.start
        started = [] if start is None else [classifier_file(start, "units.start")]
        stage1 = [bench.stage1_checkpoint()] if settings.units.kind == "pixels" else []
        return [*stage1, *started]

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

        data = FewShotDataModule(**run.tiles())
        data.prepare_data()
        units = build_units(settings, run, data)
        run.update_info(units=settings.units.kind, stage1=units.about.get("stage1"))
        start = _start(settings, run, units)
        most = settings.units.val_per_class
        train_sim_net(settings, run, units, start, data.taxonomy.names, most)


def _start(settings: SimNetSettings, run: Run, units: "PairUnits") -> Start:
    """The SimNet with the weights that it starts from."""
    from terrashot.papers.simtrans.network.pair_head import PairHead
    from terrashot.papers.simtrans.network.sim_net import SimNet

    options = settings.units
    if units.anchors is not None:
        classes, kept, channels = units.anchors.shape
        head = PairHead(channels, options.head, options.symmetric)
        network = SimNet(head, None, classes, kept)
        network.anchors.copy_(units.anchors)
        head.standardise(units.anchors.flatten(0, 1))
        return Start(network, f"pixels with {channels} features of the stage-1 network")
    spec = run.image_spec()
    encoder, told = start_window_encoder(options, settings.backbone, spec.mean, spec.std)
    return Start(SimNet(PairHead(encoder.channels, options.head, options.symmetric), encoder), told)
