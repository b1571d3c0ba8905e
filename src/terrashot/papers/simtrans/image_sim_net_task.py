"""Training a SimNet on folders of images as a task of `run.py`."""

from collections.abc import Sequence
from pathlib import Path

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.folders.image_sets import class_lists, read_image_sets
from terrashot.papers.simtrans.settings import ImageSimNetSettings
from terrashot.papers.simtrans.sim_net_run import (
    Start,
    check_classes,
    check_two_optimizers,
    start_window_encoder,
    train_sim_net,
)
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.task import Task


class ImageSimNetTask(Task[ImageSimNetSettings]):
    """Training a SimNet on the images of base classes."""

    name = "image_sim_net"
    experiment = "simnet"
    settings = ImageSimNetSettings
    data_kinds = ("image_folders",)
    stands_for = "sim_net"

    def check(self, settings: ImageSimNetSettings, bench: Bench) -> None:
        """Lists and folders, names of classes, and what two optimizers by hand rule out."""
        check_two_optimizers(settings)
        if settings.units.kind != "windows":
            raise ConfigError(
                f"units={settings.units.kind} compares features of a stage-1 network, which "
                f"data={settings.data.name} has not: images are compared with units=windows."
            )
        check_views(settings.data.window, settings.data.resize)
        sets = read_image_sets(settings.data)
        check_classes(settings.units, sets.base, settings.data.name)
        self.inputs(settings, bench)

    def inputs(self, settings: ImageSimNetSettings, bench: Bench) -> Sequence[Path]:
        """The lists of classes, and ``units.start``."""
        from terrashot.papers.simtrans.network.classifier_file import classifier_file

        start = settings.units.start
        started = [] if start is None else [classifier_file(start, "units.start")]
        return [*class_lists(settings.data), *started]

    def metrics(self, settings: ImageSimNetSettings) -> list[str]:
        """Scores on pairs of held-out classes."""
        return ["val/pair_ap", "val/pair_f1"]

    def sweep_score(self, settings: ImageSimNetSettings) -> str:
        """What the best checkpoint is chosen by."""
        return settings.callbacks.monitor

    def run(self, settings: ImageSimNetSettings, run: Run) -> None:
        """Train on pairs of base images, going on from last.ckpt where the folder has one."""
        from terrashot.papers.simtrans.folders.images import check_readable
        from terrashot.papers.simtrans.folders.units import image_pair_units, most_per_class
        from terrashot.papers.simtrans.network.pair_head import PairHead
        from terrashot.papers.simtrans.network.sim_net import SimNet

        options = settings.units
        sets = read_image_sets(settings.data)
        check_readable([*sets.base_train, *sets.base_test, *sets.novel_web])
        units = image_pair_units(sets, options, settings.data)
        run.update_info(units=options.kind, classes=sets.base)
        encoder, told = start_window_encoder(
            options, settings.backbone, settings.data.mean, settings.data.std
        )
        head = PairHead(encoder.channels, options.head, options.symmetric)
        start = Start(
            SimNet(head, encoder),
            f"layout {sets.layout}: {len(sets.base)} base and {len(sets.novel)} novel classes; "
            f"{told}",
        )
        most = most_per_class(sets.base_test, options.val_per_class, options.val_units)
        train_sim_net(settings, run, units, start, sets.names, most)


def check_views(window: int, resize: int) -> None:
    """Raise a ConfigError where the middle of a test image is larger than the image."""
    if resize < window:
        raise ConfigError(
            f"data.resize is {resize}, but a square of data.window={window} is cut from the middle "
            f"of such an image. Set data.resize to {window} or more."
        )
