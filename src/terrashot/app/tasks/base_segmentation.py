"""Stage 1: train a network on the base classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import crop_of, following_data, taxonomy_of
from terrashot.tasks.scenes import SCENES, name_classes, scene_source
from terrashot.tasks.settings.data import CropData, SceneSettings
from terrashot.tasks.settings.field import REQUIRED, setting
from terrashot.tasks.settings.groups import AveragedTraining
from terrashot.tasks.settings.runs import TrainingSettings
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.data.datamodule import FewShotDataModule
    from terrashot.data.layout import FewShotLayout
    from terrashot.data.scenes.plan import ScenePlan
    from terrashot.data.transforms import TrainTransform
    from terrashot.image_spec import ImageSpec
    from terrashot.taxonomy import Taxonomy


@dataclass
class BaseData(CropData):
    """``data``: tiles, with the published leak of ClassTrans as an option, or whole scenes."""

    scenes: SceneSettings = field(default_factory=SceneSettings)
    stage1_val_in_training: bool = False

    def open_layout(self, taxonomy: "Taxonomy | None" = None) -> "FewShotLayout":
        """See ``DataSettings``."""
        layout = super().open_layout(taxonomy)
        layout.val_in_training = self.stage1_val_in_training
        return layout


@dataclass
class BaseSegmentationSettings(TrainingSettings):
    """Settings of stage 1."""

    data: BaseData = field(default_factory=BaseData)
    backbone: dict[str, Any] = setting(REQUIRED, path=("weights",))
    decoder: dict[str, Any] = REQUIRED
    loss: dict[str, Any] = REQUIRED
    callbacks: AveragedTraining = field(default_factory=AveragedTraining)


class BaseSegmentationTask(Task[BaseSegmentationSettings]):
    """Training on the base classes."""

    name = "base_segmentation"
    experiment = "stage1"
    settings = BaseSegmentationSettings
    data_kinds = ("tiles", SCENES)
    tiles = ("train", "stage1_val")

    def fill_in(self, settings: BaseSegmentationSettings) -> None:
        """The classes of whole scenes are those of their labels."""
        name_classes(settings.data)

    def reads(self, settings: BaseSegmentationSettings) -> Sequence[str] | None:
        """Whole scenes have no tiles."""
        return self.tiles if settings.data.kind != SCENES else None

    def inputs(self, settings: BaseSegmentationSettings, bench: Bench) -> Sequence[Path]:
        """The labels of whole scenes."""
        source = scene_source(settings.data)
        return [*bench.files(), *(source.files if source is not None else [])]

    def check(self, settings: BaseSegmentationSettings, bench: Bench) -> None:
        """Parts that do not go with labels are found before the first image is read whole."""
        spec = bench.image_spec()
        _transform(settings, spec)
        _scenes(settings, spec)
        if not getattr(bench.build("loss"), "needs_labels", True):
            raise ConfigError(
                "loss: a contrastive loss compares windows and knows no classes, so stage 1 can't "
                "train with it. Choose loss=ce or another loss of stage 1, or run "
                "experiment=pretrain_false."
            )
        if settings.callbacks.ema_decay is not None and settings.strategy.name == "fsdp":
            raise ConfigError(
                f"callbacks.ema_decay is {settings.callbacks.ema_decay}, but weights that "
                "strategy=fsdp has divided among devices can't be averaged. Write strategy=ddp, or "
                "callbacks.ema_decay=null."
            )

    def metrics(self, settings: BaseSegmentationSettings) -> list[str]:
        """Losses and IoU of the base classes."""
        classes = taxonomy_of(settings).base_only().names
        known = ["val/loss", "val/base_miou", "val/mean_miou", "val/pixel_accuracy"]
        return known + [f"val/iou/{c}" for c in classes]

    def sweep_score(self, settings: BaseSegmentationSettings) -> str:
        """What the best checkpoint is chosen by."""
        return settings.callbacks.monitor

    def run(self, settings: BaseSegmentationSettings, run: Run) -> None:
        """Train, going on from last.ckpt where the folder has one."""
        from terrashot.callbacks.averaged_weights import AveragedWeights
        from terrashot.callbacks.prediction_panels import PredictionPanels
        from terrashot.callbacks.score_report import report_scores
        from terrashot.data.datamodule import FewShotDataModule
        from terrashot.data.scenes.datamodule import SceneDataModule
        from terrashot.evaluation.scores import gfss_scores
        from terrashot.losses.ldam import LDAM
        from terrashot.networks.backbone_weights import load_backbone_weights
        from terrashot.networks.build import build_segmenter, described
        from terrashot.reporting.class_table import class_table
        from terrashot.tasks.base_segmentation import BaseSegmentation

        spec = run.image_spec()
        transform, plan = _transform(settings, spec), _scenes(settings, spec)
        if plan is None:
            data: Any = FewShotDataModule(train_transform=transform, **run.tiles())
        else:
            data = SceneDataModule(plan, spec, transform, **run.loaders())
        taxonomy = data.taxonomy.base_only()
        loss = run.build("loss")
        segmenter = build_segmenter(
            {
                "backbone": settings.backbone,
                "decoder": settings.decoder,
                "num_classes": taxonomy.num_classes,
                **described(data.spec),
            }
        )
        report = load_backbone_weights(
            segmenter,
            settings.backbone.get("weights"),
            settings.backbone.get("source", "timm"),
            settings.backbone.get("clip_model"),
        )
        calibrates = not settings.data.stage1_val_in_training
        module = BaseSegmentation(segmenter, loss, run.plan(), taxonomy, calibrates)
        watched = settings.callbacks
        decay = watched.ema_decay
        average = [] if decay is None else [AveragedWeights(decay, run.device)]
        run.start(PredictionPanels(run.path, taxonomy, watched.panels, spec=data.spec), *average)
        run.say(f"{settings.backbone['name']}, {report.summary()}")
        for line in plan.summary() if plan is not None else []:
            run.say(line)
        seen = _seen(settings, data)
        if seen:
            run.say(
                f"leak: {len(seen)} of the {len(data.layout.stage1_val)} validation tiles are "
                "trained on (data.stage1_val_in_training), so val/ scores, and with them the "
                "choice of best.ckpt, say nothing of other tiles",
                style="yellow",
            )
        if isinstance(loss, LDAM):
            data.prepare_data()
            loss.set_counts(data.train_label_counts())
        run.fit(module, data, network=segmenter)
        if not run.is_first:
            return
        confusion = module.last_confusion
        step = run.trainer.global_step
        report_scores(run.trainer.loggers, run.path, confusion, taxonomy, "val", step)
        monitor, best = watched.monitor, run.best_score()
        content = {"best": {monitor: best}, "val_in_training": seen}
        run.write_results(run.metrics(), content, confusion, taxonomy)
        scores = gfss_scores(confusion, taxonomy)
        leak = f", {len(seen)} tiles of it seen in training" if seen else ""
        run.console.print(class_table(scores, taxonomy, f"Last validation: IoU by class{leak}"))
        run.close(monitor + leak, best, _following(settings))


def _following(settings: BaseSegmentationSettings) -> str:
    """The command that goes on from here."""
    if settings.data.kind != SCENES:
        return f"python run.py experiment=stage2{following_data(settings)}"
    given = f"data=scenes data.name={settings.data.name} data.root={settings.data.root}"
    return f"python run.py experiment=adapt {given} support.labels=FILE support.images=FILES"


def _scenes(settings: BaseSegmentationSettings, spec: "ImageSpec") -> "ScenePlan | None":
    """The whole scenes that are trained on; None where there are tiles."""
    from terrashot.data.scenes.plan import ScenePlan

    source = scene_source(settings.data)
    if source is None:
        return None
    side = crop_of(settings, settings.data.crop)
    return ScenePlan(source, taxonomy_of(settings), spec, side)


def _seen(settings: BaseSegmentationSettings, data: "FewShotDataModule") -> list[str]:
    """Validation tiles that are trained on, where that is asked for."""
    if not settings.data.stage1_val_in_training:
        return []
    data.prepare_data()
    held_out = {tile.name for tile in data.layout.stage1_val}
    return sorted(held_out & {tile.name for tile in data.train_tiles})


def _transform(settings: BaseSegmentationSettings, spec: "ImageSpec") -> "TrainTransform | None":
    from terrashot.data.transforms import TrainTransform

    if not settings.augmentation:
        return None
    rgb = spec.rgb if spec.has_colors else None
    crop = crop_of(settings, settings.augmentation.get("crop"))
    config = {**settings.augmentation, "crop": crop}
    return build_augmentation(TrainTransform, config, "default", rgb=rgb)
