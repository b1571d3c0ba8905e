"""What the settings ``weak_shot`` ask for, told before a run."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.settings import (
    ImageWeakShotSettings,
    WeakShotOptions,
    WeakShotSettings,
)

if TYPE_CHECKING:
    from terrashot.papers.simtrans.training.window_weights import Weighting

Settings = WeakShotSettings | ImageWeakShotSettings
SCORES = {
    "novel": "test/novel_accuracy",
    "macro F1": "test/novel_macro_f1",
    "harmonic": "test/harmonic_accuracy",
    "AUROC": "weights/auroc",
}


def check_options(settings: Settings) -> None:
    """Raise a ConfigError for options that do not go together."""
    options = settings.weak_shot
    weighting_of(options)
    if options.start is not None and options.trained is not None:
        raise ConfigError(
            "weak_shot.start goes on training a classifier, weak_shot.trained only scores one. "
            "Give one of them."
        )
    limit = settings.trainer.limit_train_batches
    if options.schedule == "alternate" and limit != 1.0:
        raise ConfigError(
            "trainer.limit_train_batches would cut the second pass of an epoch off, which "
            "weak_shot.schedule=alternate trains the weights alone in. Leave it at 1.0."
        )


def classifier_inputs(options: WeakShotOptions) -> list[Path]:
    """The classifiers that the settings name.

    Raises:
        CheckpointError: there is no such file.
    """
    from terrashot.papers.simtrans.network.classifier_file import classifier_file

    named = {"weak_shot.start": options.start, "weak_shot.trained": options.trained}
    return [classifier_file(given, key) for key, given in named.items() if given is not None]


def needs_sim_net(options: WeakShotOptions) -> bool:
    """Whether a run weighs units or ties them by a graph."""
    if options.trained is not None:
        return False
    return options.alpha > 0 or options.weights.get("kind") != "none"


def weighting_of(options: WeakShotOptions) -> "Weighting":
    """How units are weighed.

    Raises:
        ConfigError: a setting that weights do not have, or a value out of its range.
    """
    from terrashot.papers.simtrans.training.window_weights import Weighting

    known = [f.name for f in fields(Weighting)]
    strange = [key for key in options.weights if key not in known]
    if strange:
        raise ConfigError(
            f"weak_shot.weights.{strange[0]} is no setting of the weights, which have: "
            f"{', '.join(known)}."
        )
    return Weighting(**options.weights)


def metric_names(options: WeakShotOptions) -> list[str]:
    """The scores of a run on clean test units."""
    known = ["novel_accuracy", "novel_macro_f1"]
    if options.classes == "all":
        known += [
            "generalized_accuracy",
            "base_accuracy",
            "generalized_novel_accuracy",
            "harmonic_accuracy",
        ]
    return [f"test/{name}" for name in known]


def is_alternate(options: WeakShotOptions) -> bool:
    """Whether an epoch has two passes."""
    return options.schedule == "alternate" and options.alpha > 0


def batch_sizes(options: WeakShotOptions) -> list[int]:
    """Units a batch in each pass of an epoch; the pass with the graph term comes first."""
    graph = [options.graph_batch_size] if is_alternate(options) else []
    return [*graph, options.batch_size]
