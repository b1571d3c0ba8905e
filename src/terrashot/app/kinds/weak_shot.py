"""Weak-shot classification as a task of `run.py`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.kinds.novel_adaptation import check_novel_classes
from terrashot.app.kinds.sim_net import NO_STAGE_2
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

_CHOICES = {
    "classes": ("all", "novel"),
    "schedule": ("joint", "alternate"),
    "graph": ("distance", "cosine"),
}
_SCORES = {
    "novel": "test/novel_accuracy",
    "macro F1": "test/novel_macro_f1",
    "harmonic": "test/harmonic_accuracy",
    "AUROC": "weights/auroc",
}


class WeakShotKind(TaskKind):
    """Classification of novel windows from noisy labels."""

    name = "weak_shot"
    needed = ("weak_shot", "noise", "backbone", "optimizer", "scheduler")
    refused = NO_STAGE_2

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """Choices, numbers, and the SimNet where one is needed."""
        check_novel_classes(settings, taxonomy)
        options = settings.weak_shot
        assert options is not None
        for key, choices in _CHOICES.items():
            if getattr(options, key) not in choices:
                raise ConfigError(
                    f"weak_shot.{key} is '{getattr(options, key)}', but it must be one of "
                    f"{', '.join(choices)}."
                )
        for key in ("batch_size", "graph_batch_size", "base_windows"):
            if getattr(options, key) < 2:
                raise ConfigError(f"weak_shot.{key} is {getattr(options, key)}; at least 2 needed.")
        if options.alpha < 0:
            raise ConfigError(f"weak_shot.alpha is {options.alpha}, but it must be 0 or above.")
        if options.schedule == "alternate" and settings.trainer.limit_train_batches != 1.0:
            raise ConfigError(
                "trainer.limit_train_batches would cut the second pass of an epoch off, in which "
                "weak_shot.schedule=alternate has its graph term. Leave it at 1.0."
            )
        self.inputs(settings)

    def check_tiles(self, layout: FewShotLayout) -> None:
        """All parts of the data."""
        for part in (layout.train, layout.stage1_val, layout.support, layout.query):
            assert part

    def inputs(self, settings: Settings) -> list[Path]:
        """The SimNet, where weights or graph need one."""
        from terrashot.app.sim_net_checkpoint import needs_sim_net, window_sim_net

        return [window_sim_net(settings).path] if needs_sim_net(settings) else []

    def monitored(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Nothing novel may choose a checkpoint: the last one counts, whatever is named."""
        return ["train/loss"]

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """Accuracies on clean test windows, and how good the weights are."""
        known = ["novel_accuracy", "novel_macro_f1"]
        if settings.weak_shot is not None and settings.weak_shot.classes == "all":
            known += [
                "generalized_accuracy",
                "base_accuracy",
                "generalized_novel_accuracy",
                "harmonic_accuracy",
            ]
        weights = ["auroc", "clean_share", "clean_mean", "noisy_mean"]
        return [*(f"test/{n}" for n in known), *(f"weights/{n}" for n in weights)]

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Train and score."""
        from terrashot.app.weak_shot import run_weak_shot

        run_weak_shot(settings, folder)

    def sweep_score(self, settings: Settings) -> str:
        """Accuracy among novel classes."""
        return "novel"

    def sweep_scores(self, settings: Settings, results: Mapping[str, Any]) -> dict[str, Any]:
        """Accuracies, and how well the weights tell right from wrong labels."""
        return {name: results["metrics"].get(key) for name, key in _SCORES.items()}
