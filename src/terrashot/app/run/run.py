"""A run at work: one way to start a trainer, to train, to score and to close, for all tasks."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from rich.console import Console
from torch import Tensor, nn

from terrashot.app.config.check_tiles import tile_remarks
from terrashot.app.run.bench import SettingsBench
from terrashot.app.run.build import (
    build_feature_cache,
    build_plan,
    build_trainer,
    checkpoint_callbacks,
    loader_options,
    resolve_accelerator,
    tile_options,
)
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.loggers import build_loggers
from terrashot.app.tasks.registry import find_task
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.epoch_seed import EpochSeed
from terrashot.callbacks.first_checkpoint import FirstCheckpoint
from terrashot.callbacks.prompt_stop import PromptStop
from terrashot.data.feature_cache import FeatureCache
from terrashot.files import without_nan, write_json
from terrashot.model.precision import resolve_precision
from terrashot.networks.segmenter import Segmenter
from terrashot.reporting.curves_figure import curves_figure
from terrashot.reporting.figures import save_for_paper
from terrashot.reporting.run_summary import print_run_summary
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.tasks.settings.runs import (
    LoggedSettings,
    OptimizedSettings,
    RunSettings,
    TileSettings,
)
from terrashot.taxonomy import Taxonomy


class FolderRun(SettingsBench):
    """See ``terrashot.tasks.bench.Run``.

    Args:
        settings: Of the run, checked.
        folder: Its folder.
    """

    trainer: Trainer

    def __init__(self, settings: RunSettings, folder: RunFolder) -> None:
        super().__init__(settings)
        self.folder = folder
        self.path = folder.path
        self.console = Console(quiet=not folder.is_of_first_process)

    @property
    def device(self) -> torch.device:
        """See ``Run``."""
        cuda = resolve_accelerator(self.settings.trainer.accelerator) == "cuda"
        return torch.device("cuda" if cuda else "cpu")

    @property
    def is_first(self) -> bool:
        """See ``Run``."""
        return self.trainer.is_global_zero

    def update_info(self, **values: Any) -> None:  # noqa: ANN401 - JSON values
        """See ``Run``."""
        self.folder.update_info(**values)

    def read_info(self) -> dict[str, Any]:
        """See ``Run``."""
        return self.folder.read_info()

    def tiles(self) -> dict[str, Any]:
        """See ``Run``."""
        assert isinstance(self.settings, TileSettings)
        return tile_options(self.settings, self.image_spec())

    def loaders(self) -> dict[str, Any]:
        """See ``Run``."""
        assert isinstance(self.settings, TileSettings)
        return loader_options(self.settings)

    def plan(self) -> OptimizationPlan:
        """See ``Run``."""
        assert isinstance(self.settings, OptimizedSettings)
        return build_plan(self.settings)

    def feature_cache(self, checkpoint: Path, segmenter: Segmenter) -> FeatureCache | None:
        """See ``Run``."""
        assert isinstance(self.settings, TileSettings)
        return build_feature_cache(self.settings, checkpoint, segmenter)

    def start(self, *callbacks: Callback, trains: bool = True, best: bool = True) -> Trainer:
        """See ``Run``."""
        kept: list[Callback] = [PromptStop(), console_progress(), *callbacks]
        if trains:
            kept = [EpochSeed(self.settings.seed), FirstCheckpoint(self._last), *kept]
            kept += checkpoint_callbacks(self.settings, self.folder.checkpoints, best)
        loggers = build_loggers(self.settings, self.folder)
        self.trainer = build_trainer(self.settings, self.path, loggers, kept)
        self.console = Console(quiet=not self.trainer.is_global_zero)
        if isinstance(self.settings, LoggedSettings):
            self._announce(self.settings)
        return self.trainer

    def say(self, line: str, style: str | None = None) -> None:
        """See ``Run``."""
        self.console.print(line, style=style, highlight=False, soft_wrap=True)

    def fit(
        self,
        module: LightningModule,
        data: LightningDataModule,
        network: nn.Module | None = None,
        curves: Mapping[str, str] | None = None,
    ) -> None:
        """See ``Run``."""
        assert isinstance(self.settings, OptimizedSettings)
        if self.settings.strategy.sync_batchnorm and resolve_accelerator("auto") == "cpu":
            self.say("batch norm is not synchronised: PyTorch does that on GPUs only")
        if self.settings.trainer.compile and network is not None:
            network.compile()
        last = self._last if self._last.is_file() else None
        self.trainer.fit(module, data, ckpt_path=last, weights_only=True)
        if self.trainer.interrupted:
            raise KeyboardInterrupt
        rows = self.path / "metrics.csv"
        if self.is_first and rows.is_file():
            save_for_paper(
                curves_figure(rows, **(curves or {})), self.folder.figures / "curves.png"
            )

    def test(self, module: LightningModule, data: LightningDataModule) -> None:
        """See ``Run``."""
        self.trainer.test(module, data, verbose=False, weights_only=True)

    def metrics(self) -> dict[str, float]:
        """See ``Run``."""
        return {name: float(value) for name, value in self.trainer.callback_metrics.items()}

    def best_score(self) -> float:
        """See ``Run``."""
        score = getattr(self.trainer.checkpoint_callback, "best_model_score", None)
        return math.nan if score is None else float(score)

    def write_results(
        self,
        metrics: Mapping[str, float],
        content: Mapping[str, Any],
        confusion: Tensor | None = None,
        taxonomy: Taxonomy | None = None,
    ) -> None:
        """See ``Run``."""
        results = {"metrics": without_nan(metrics), **content}
        if confusion is not None and taxonomy is not None:
            results["classes"] = taxonomy.names
            results["confusion"] = confusion.cpu().to(torch.int64).tolist()
        write_json(self.folder.results, results)

    def close(
        self, score: str, value: float, following: str | None = None, report: Path | None = None
    ) -> None:
        """See ``Run``."""
        print_run_summary(self.console, score, value, self.path, following, report)

    @property
    def _last(self) -> Path:
        return self.folder.checkpoints / "last.ckpt"

    def _announce(self, settings: LoggedSettings) -> None:
        """What runs on what, for the demo set how to run on the real one, what the data lack."""
        accelerator = resolve_accelerator(settings.trainer.accelerator)
        precision = resolve_precision(settings.trainer.precision, accelerator)
        chosen = getattr(settings, "method", None)
        method = f", method={chosen['name']}" if chosen else ""
        line = (
            f"experiment={settings.name} on data={settings.data.name}{method}, "
            f"{settings.processes} x {accelerator}, {precision}, in {self.path}"
        )
        if settings.data.name == "demo" and settings.name.startswith("stage"):
            paper = f"{settings.name.removesuffix('_paper')}_paper"
            line += f"  (OpenEarthMap: python run.py experiment={paper})"
        self.say(line)
        if self.trainer.is_global_zero:
            for remark in tile_remarks(settings, find_task(settings.task)):
                self.say(remark, style="yellow")
