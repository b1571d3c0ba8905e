"""Contrastive pretraining as a task of `run.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError, DataError
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import following_data
from terrashot.tasks.settings.data import TrainingData
from terrashot.tasks.settings.field import REQUIRED, setting
from terrashot.tasks.settings.groups import WatchedTraining
from terrashot.tasks.settings.runs import TrainingSettings
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.data.layout import FewShotLayout
    from terrashot.image_spec import ImageSpec
    from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
    from terrashot.papers.false.pretraining import ContrastivePretraining
    from terrashot.papers.false.windows.two_views import TwoViews
    from terrashot.taxonomy import Taxonomy

ENCODER_FILE = "encoder.pt"
FOLDER = "images"
_LOSS = "train/loss"
_PROBE_WINDOWS = 8


@dataclass
class WindowSettings:
    """``configs/pretraining``: windows, head and probe."""

    window: int | None = setting(
        REQUIRED, at_least=16, why="a side in pixels; null stands for whole images"
    )
    view: int = setting(REQUIRED, at_least=1)
    windows_per_tile: int = setting(1, at_least=1)
    min_valid: float = setting(0.9, at_least=0, at_most=1, why="a share")
    one_window_per_tile: bool = True
    transductive: bool = False
    head_hidden: int | None = setting(
        None, at_least=1, why="null stands for the width of the encoder's features"
    )
    head_dim: int = setting(128, at_least=1)
    head_relu: bool = True
    probe_windows: int | None = setting(
        None,
        at_least=0,
        why=f"null stands for {_PROBE_WINDOWS} a tile, and for 0 where no tile has a label",
    )
    probe_neighbours: int = setting(20, at_least=1)


@dataclass
class PretrainingData(TrainingData):
    """``configs/data``: tiles on lists, or every image below a folder."""

    def open_layout(self, taxonomy: "Taxonomy | None" = None) -> "FewShotLayout":
        """See ``DataSettings``."""
        from terrashot.papers.false.windows.image_folder import ImageFolder

        if self.kind == FOLDER:
            return ImageFolder(Path(self.root))
        return super().open_layout(taxonomy)


@dataclass
class PretrainingSettings(TrainingSettings):
    """Settings of contrastive pretraining."""

    data: PretrainingData = field(default_factory=PretrainingData)
    backbone: dict[str, Any] = setting(REQUIRED, path=("weights",))
    loss: dict[str, Any] = REQUIRED
    pretraining: WindowSettings = field(default_factory=WindowSettings)
    # No early stopping: it would look at labels, and pretraining uses none.
    callbacks: WatchedTraining = field(default_factory=WatchedTraining)

    @property
    def probe_windows(self) -> int:
        """Labelled windows of a validation tile; 0: no probe."""
        given = self.pretraining.probe_windows
        if given is None:
            labelled = self.data.kind != FOLDER and self.pretraining.window is not None
            return _PROBE_WINDOWS if labelled else 0
        return given


class ContrastivePretrainingTask(Task[PretrainingSettings]):
    """Training an encoder on windows without labels."""

    name = "contrastive_pretraining"
    experiment = "pretrain_false"
    settings = PretrainingSettings
    data_kinds = ("tiles", FOLDER)
    tiles = ("unlabelled_train",)

    def check(self, settings: PretrainingSettings, bench: Bench) -> None:
        """Parts that must fit together, before any tile is read."""
        if settings.strategy.name == "fsdp":
            raise ConfigError(
                "strategy=fsdp shards the encoder, and pretraining hands over a whole one. Use "
                "strategy=single or strategy=ddp."
            )
        _check_parts(settings)
        _views(settings)
        _check_colors(settings, bench.image_spec())
        _loss(settings, bench)

    def metrics(self, settings: PretrainingSettings) -> list[str]:
        """What the probe measures, or the loss where there is none."""
        from terrashot.papers.false.evaluation.contrastive_probe import PROBE_METRICS

        return [_LOSS, *(f"val/{name}" for name in PROBE_METRICS)]

    def sweep_score(self, settings: PretrainingSettings) -> str:
        """The probe's score, or the loss where there is none."""
        return settings.callbacks.monitor if settings.probe_windows else _LOSS

    def sweep_scores(
        self, settings: PretrainingSettings, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The monitored metric at the end of training: no checkpoint is chosen by labels."""
        main = self.sweep_score(settings)
        return {main: results["metrics"].get(main)}

    def run(self, settings: PretrainingSettings, run: Run) -> None:
        """Train the encoder, going on from last.ckpt where the folder has one."""
        from terrashot.networks.backbone_weights import load_encoder_weights
        from terrashot.papers.false.figures.view_pairs import ViewPairs
        from terrashot.papers.false.network.embedder import Embedder
        from terrashot.papers.false.pretraining import ContrastivePretraining
        from terrashot.papers.false.windows.datamodule import WindowDataModule

        options, backbone = settings.pretraining, settings.backbone
        data = WindowDataModule(
            views=_views(settings),
            window=options.window,
            windows_per_tile=options.windows_per_tile,
            min_valid=options.min_valid,
            one_window_per_tile=options.one_window_per_tile,
            transductive=options.transductive,
            probe_windows=settings.probe_windows,
            **run.tiles(),
        )
        network = Embedder(
            backbone["name"],
            data.spec.mean,
            data.spec.std,
            drop_path=backbone.get("drop_path") or 0.0,
            head_hidden=options.head_hidden,
            head_dim=options.head_dim,
            head_relu=options.head_relu,
        )
        report = load_encoder_weights(
            network.encoder,
            backbone["name"],
            backbone.get("weights"),
            backbone.get("source", "timm"),
            backbone.get("clip_model"),
            statistics=(data.spec.mean, data.spec.std),
        )
        about = {
            "crop": options.view,
            "epochs": settings.trainer.max_epochs,
            "loss": settings.loss,
            "data": settings.data.name,
            "git": run.read_info().get("git"),
        }
        module = ContrastivePretraining(
            network, _loss(settings, run), run.plan(), options.probe_neighbours, about
        )
        trainer = run.start(
            ViewPairs(run.path, data.taxonomy, settings.callbacks.panels), best=False
        )
        run.say(f"{backbone['name']}, {report.summary()}")
        resumed = (run.path / "checkpoints" / "last.ckpt").is_file()
        if settings.probe_windows and not resumed:
            # What the encoder was worth before: without it, the numbers after say little.
            trainer.validate(module, data, verbose=False, weights_only=True)
        curves = {"score": "kNN accuracy", "ending": "accuracy"}
        run.fit(module, data, network=network, curves=curves)
        metrics = run.metrics()
        every = settings.trainer.check_val_every_n_epoch
        if settings.probe_windows and trainer.current_epoch % every:
            trainer.validate(module, data, verbose=False, weights_only=True)  # the last epoch
            metrics |= run.metrics()
        if run.is_first:
            _finish(settings, run, module, metrics)


def _check_parts(settings: PretrainingSettings) -> None:
    """Raise a ConfigError or DataError where the data has no part that the settings ask for."""
    options, data = settings.pretraining, settings.data
    if data.kind == FOLDER:
        asked = {"probe_windows": settings.probe_windows > 0, "transductive": options.transductive}
        helps = {"probe_windows": "0", "transductive": "false"}
        for key in (key for key, wanted in asked.items() if wanted):
            raise ConfigError(
                f"pretraining.{key} is {getattr(options, key)}, but data={data.name} is a folder "
                "of images without labels and lists, so there are no validation and no query "
                f"tiles. Set pretraining.{key}={helps[key]}, which leaves that out."
            )
    elif settings.probe_windows and options.window is None:
        raise ConfigError(
            "pretraining.window=null learns from whole images, but the probe is made of windows "
            "of one class. Set pretraining.probe_windows=0 for no probe, or give a window."
        )
    elif settings.probe_windows and data.demo_seed is None:
        try:
            _ = data.open_layout().stage1_val
        except DataError as error:
            raise DataError(
                f"{error} Only the probe reads these tiles and their labels: "
                "pretraining.probe_windows=0 learns without it."
            ) from error


def _stage1_data(settings: PretrainingSettings, module: "ContrastivePretraining") -> str:
    """The data of the next command; for a folder that of the reader, normalised as here."""
    if settings.data.kind != FOLDER:
        return following_data(settings)
    about = module.network.description
    mean, std = (",".join(f"{v:.4g}" for v in about[key]) for key in ("mean", "std"))
    return f" data=DATASET data.mean=[{mean}] data.std=[{std}]"


def _views(settings: PretrainingSettings) -> "TwoViews":
    """The two-view transform of the augmentation group."""
    from terrashot.papers.false.windows.two_views import TwoViews

    return build_augmentation(TwoViews, settings.augmentation, "two_views")


def _check_colors(settings: PretrainingSettings, spec: "ImageSpec") -> None:
    """Raise a ConfigError where views would change the colours of images that have other bands."""
    changes = [key for key in ("color_p", "grey_p") if settings.augmentation.get(key, 1)]
    if changes and (spec.channels != 3 or not spec.has_colors):
        off = " ".join(f"augmentation.{key}=0" for key in changes)
        raise ConfigError(
            f"The images have {spec.channels} channel(s), but the views change colours, which "
            f"only red, green and blue have. Switch that off with {off}, or choose three bands "
            "with data.bands."
        )


def _loss(settings: PretrainingSettings, bench: Bench) -> "CalibratedContrastive":
    """The loss, checked against the size of the batch.

    Raises:
        ConfigError: another kind of loss, or a batch with too few negatives.
    """
    from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive

    loss = bench.build("loss")
    if not isinstance(loss, CalibratedContrastive):
        raise ConfigError(
            f"loss: {type(loss).__name__} compares pixels with labels, and pretraining has none. "
            "Choose loss=calibrated (FALSE), loss=calibrated_paper or loss=ntxent (SimCLR)."
        )
    loss.check_batch(settings.data.batch_size * settings.processes)
    return loss


def _finish(
    settings: PretrainingSettings,
    run: Run,
    module: "ContrastivePretraining",
    metrics: dict[str, float],
) -> None:
    """Write encoder.pt and results.json; print the table."""
    from terrashot.files import without_nan
    from terrashot.networks.encoder_file import save_encoder
    from terrashot.papers.false.figures.probe_table import probe_table
    from terrashot.reporting.run_summary import short_path

    encoder = run.path / ENCODER_FILE
    save_encoder(encoder, module.network.encoder, module.network.description, module.about)
    after = module.scores.values if module.scores is not None else {}
    before = without_nan({f"val/{k}": v for k, v in module.before.items()})
    run.write_results(metrics, {"before": before, "encoder": ENCODER_FILE})
    name = settings.backbone["name"]
    following = f"python run.py experiment=stage1{_stage1_data(settings, module)}"
    if name != "mobilenetv2_100":  # the backbone that stage 1 has where none is named
        following += f" backbone=timm backbone.name={name}"
    following += f" backbone.weights={short_path(encoder)}"
    if after:
        run.console.print(probe_table(module.before, after))
    monitor = settings.callbacks.monitor if after else _LOSS
    run.close(monitor, metrics[monitor], following)
