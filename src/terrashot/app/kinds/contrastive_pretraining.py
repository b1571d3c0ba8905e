"""Contrastive pretraining as a task of `run.py`."""

from collections.abc import Mapping
from typing import Any

from terrashot.app.kinds.kind import TaskKind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

_LATER = (
    "{group} is a setting of a later stage, but experiment={experiment} trains the encoder alone, "
    "without labels. Leave {group} out; stage 1 takes the encoder as backbone.weights=FILE."
)


class ContrastivePretrainingKind(TaskKind):
    """Training an encoder on windows without labels."""

    name = "contrastive_pretraining"
    needed = ("backbone", "loss", "optimizer", "scheduler", "pretraining")
    refused = dict.fromkeys(
        (
            "decoder",
            "similarity",
            "transition",
            "transduction",
            "solver",
            "method",
            "inference",
            "postprocess",
        ),
        _LATER,
    )

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """Numbers that must fit together, before any tile is read."""
        from terrashot.app.pretraining import build_contrastive_loss, build_views

        pretraining = settings.pretraining
        assert pretraining is not None
        least = {"window": 16, "windows_per_tile": 1, "probe_windows": 0, "probe_neighbours": 1}
        least |= {"head_dim": 1}
        for key, value in least.items():
            if getattr(pretraining, key) < value:
                raise ConfigError(
                    f"pretraining.{key} is {getattr(pretraining, key)}, but it must be at least "
                    f"{value}."
                )
        if pretraining.head_hidden is not None and pretraining.head_hidden < 1:
            raise ConfigError(
                f"pretraining.head_hidden is {pretraining.head_hidden}, but it must be at least 1, "
                "or null for the width of the encoder's features."
            )
        if not 0 <= pretraining.min_valid <= 1:
            raise ConfigError(
                f"pretraining.min_valid is {pretraining.min_valid}, but it is a share: 0 to 1."
            )
        if settings.strategy.name == "fsdp":
            raise ConfigError(
                "strategy=fsdp shards the encoder, and pretraining hands over a whole one. Use "
                "strategy=single or strategy=ddp."
            )
        if settings.callbacks.early_stopping_patience is not None:
            raise ConfigError(
                "callbacks.early_stopping_patience stops training by a score on labels, and "
                "pretraining uses none. Leave it out, or set trainer.max_epochs lower."
            )
        build_views(settings)
        build_contrastive_loss(settings)

    def check_tiles(self, layout: FewShotLayout) -> None:
        """Training images; their labels are not needed."""
        assert layout.unlabelled_train

    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """What the probe measures."""
        from terrashot.papers.false.evaluation.contrastive_probe import PROBE_METRICS

        return [f"val/{name}" for name in PROBE_METRICS]

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Pretrain."""
        from terrashot.app.pretraining import run_contrastive_pretraining

        run_contrastive_pretraining(settings, folder)

    def sweep_scores(self, settings: Settings, results: Mapping[str, Any]) -> dict[str, Any]:
        """The monitored metric at the end of training: no checkpoint is chosen by labels."""
        main = self.sweep_score(settings)
        return {main: results["metrics"].get(main)}
