"""Stage-1 training steps against a bare PyTorch loop over the same network and data.

    python scripts/benchmark_training.py --steps 16 --rounds 5

Both sides train equal networks on the same demo tiles, taking turns in one process, so that
whatever else the machine does hits both. Printed are the median seconds a step of each side and
the median of the rounds' ratios. Wanted: a ratio of at most 1.05.
"""

import argparse
import itertools
import statistics
import time
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

from terrashot.app.config.compose import compose_settings
from terrashot.app.run.bench import SettingsBench
from terrashot.app.run.build import build_plan, build_trainer, tile_options
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.loggers import build_loggers
from terrashot.app.tasks.base_segmentation import BaseSegmentationSettings
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.transforms import TrainTransform
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.model.precision import resolve_precision
from terrashot.networks.build import build_segmenter, described
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.base_segmentation import BaseSegmentation
from terrashot.taxonomy import Taxonomy

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
WARM_UP = 3


class StepClock(Callback):
    """Notes when each training step begins."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's interface
        batch_idx: int,
    ) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())


def make_module(settings: BaseSegmentationSettings) -> BaseSegmentation:
    """The network and task of ``experiment=stage1``, equal each time."""
    torch.manual_seed(settings.seed)
    classes = len(settings.data.taxonomy["base"]) + 1
    segmenter = build_segmenter(
        {
            "backbone": settings.backbone,
            "decoder": settings.decoder,
            "num_classes": classes,
            **described(SettingsBench(settings).image_spec()),
        }
    )
    taxonomy = Taxonomy.from_dict(settings.data.taxonomy)
    return BaseSegmentation(segmenter, CrossEntropy(), build_plan(settings), taxonomy)


def make_data(settings: BaseSegmentationSettings) -> FewShotDataModule:
    """The tiles of ``experiment=stage1``, augmented as there."""
    transform = build_augmentation(TrainTransform, settings.augmentation, "default")
    return FewShotDataModule(
        train_transform=transform, **tile_options(settings, SettingsBench(settings).image_spec())
    )


def lightning_step(settings: BaseSegmentationSettings, steps: int, folder: Path) -> float:
    """Median seconds a step of the product's loop, loggers and progress included."""
    clock = StepClock()
    run = RunFolder(folder)
    run.update_info(wandb_id="benchmark")
    callbacks = [EpochSeed(settings.seed), console_progress(), clock]
    trainer = build_trainer(settings, folder, build_loggers(settings, run), callbacks)
    trainer.fit_loop.epoch_loop.max_steps = steps
    trainer.fit(make_module(settings), make_data(settings))
    gaps = [b - a for a, b in zip(clock.starts, clock.starts[1:], strict=False)]
    return statistics.median(gaps[WARM_UP:])


def bare_step(settings: BaseSegmentationSettings, steps: int) -> float:
    """Median seconds a step of the loop one would write by hand."""
    module = make_module(settings).train()
    data = make_data(settings)
    data.setup("fit")
    parameters = [p for p in module.parameters() if p.requires_grad]
    rest = [module.segmenter.decoder, module.segmenter.head]
    optimizer = build_plan(settings).build_optimizer(module.segmenter.encoder, rest)
    bf16 = resolve_precision(settings.trainer.precision, "cpu") == "bf16-mixed"

    def autocast() -> AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16, enabled=bf16)

    starts: list[float] = []
    while len(starts) <= steps:
        for batch in data.train_dataloader():
            starts.append(time.perf_counter())
            optimizer.zero_grad()
            with autocast():
                loss = module.loss(module(batch["image"]).float(), batch["mask"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings.trainer.gradient_clip_val or 1e9)
            optimizer.step()
            if len(starts) > steps:
                break
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    return statistics.median(gaps[WARM_UP:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=16, help="steps a round and side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("overrides", nargs="*", help="settings, e.g. data.batch_size=4")
    arguments = parser.parse_args()
    fixed = ["experiment=stage1", "logger=csv", "trainer.accelerator=cpu"]
    fixed += ["trainer.limit_val_batches=0", "trainer.max_epochs=1000"]
    settings = compose_settings(CONFIGS, [*fixed, *arguments.overrides])
    assert isinstance(settings, BaseSegmentationSettings)
    make_data(settings).prepare_data()
    sides: dict[str, list[float]] = {"bare loop": [], "experiment=stage1": []}
    for _ in range(arguments.rounds):
        sides["bare loop"].append(bare_step(settings, arguments.steps))
        with TemporaryDirectory() as folder:
            sides["experiment=stage1"].append(
                lightning_step(settings, arguments.steps, Path(folder))
            )
    table = Table(title="Seconds a training step, median of the rounds")
    table.add_column("side")
    table.add_column("s a step", justify="right")
    for name, seconds in sides.items():
        table.add_row(name, f"{statistics.median(seconds):.4f}")
    console = Console()
    console.print(table)
    pairs = zip(sides["experiment=stage1"], sides["bare loop"], strict=True)
    ratios = sorted(ours / bare for ours, bare in pairs)
    console.print(
        f"ratio {statistics.median(ratios):.3f} (rounds: {', '.join(f'{r:.3f}' for r in ratios)})"
    )


if __name__ == "__main__":
    main()
