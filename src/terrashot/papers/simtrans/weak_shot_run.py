"""Weighing, training and scoring of a weak-shot classifier, wherever its units come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrashot.errors import CheckpointError
from terrashot.papers.simtrans.weak_shot_options import (
    SCORES,
    Settings,
    is_alternate,
    weighting_of,
)
from terrashot.tasks.bench import Run

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from terrashot.papers.simtrans.network.classifier_file import TrainedClassifier
    from terrashot.papers.simtrans.network.sim_net import TrainedSimNet
    from terrashot.papers.simtrans.network.window_encoder import WindowEncoder
    from terrashot.papers.simtrans.patches.units import UnitSet
    from terrashot.papers.simtrans.patches.weighted_loaders import WeightedLoaders
    from terrashot.papers.simtrans.training.weak_shot import WeakShotClassifier


@dataclass(frozen=True)
class Classes:
    """What a classifier tells apart.

    Args:
        ids: Of its classes, base ones first.
        novel: Ids of the novel ones among them.
        names: Of all classes of the data by id.
    """

    ids: list[int]
    novel: list[int]
    names: Sequence[str]

    @property
    def own_names(self) -> list[str]:
        """Of the classes that are told apart."""
        return [self.names[i] for i in self.ids]


@dataclass(frozen=True)
class Anchors:
    """Clean base units that weights may be corrected by.

    Args:
        units: The units.
        chosen: Numbers of some of each base class.
    """

    units: "UnitSet"
    chosen: Sequence[Sequence[int]]


def begin_with(
    settings: Settings, mean: Sequence[float], std: Sequence[float]
) -> "tuple[WindowEncoder, TrainedClassifier | None, str]":
    """The encoder that a run begins with, the classifier that it comes from, what to say of it.

    Raises:
        CheckpointError: weights are missing or do not fit.
        ConfigError: two sources of weights, or another backbone.
    """
    from terrashot.papers.simtrans.network.classifier_file import classifier_file, load_classifier
    from terrashot.papers.simtrans.network.start import start_encoder

    options = settings.weak_shot
    for key, given in (("weak_shot.start", options.start), ("weak_shot.trained", options.trained)):
        if given is not None:
            trained = load_classifier(classifier_file(given, key))
            trained.check_backbone(settings.backbone, key)
            return trained.encoder, trained, f"classifier of {trained.path}"
    encoder, told = start_encoder(settings.backbone, mean, std)
    return encoder, None, told


def unit_weights(
    settings: Settings,
    run: Run,
    data: "WeightedLoaders",
    classes: Classes,
    sim_net: "TrainedSimNet | None",
    anchors: Anchors,
) -> "Tensor":
    """The weight of each training unit, the same on every process."""
    import torch

    from terrashot.papers.simtrans.training.window_weights import window_weights

    weighting = weighting_of(settings.weak_shot)
    if sim_net is None or weighting.kind == "none":
        return torch.ones(len(data.windows))
    return window_weights(
        sim_net.network.to(run.device),
        data.windows,
        classes.novel,
        anchors.units,
        anchors.chosen,
        weighting,
        settings.seed,
        run.device,
        symmetric=settings.weak_shot.symmetric,
        workers=data.workers,
    )


def build_classifier(
    settings: Settings,
    run: Run,
    classes: Classes,
    encoder: "WindowEncoder",
    began: "TrainedClassifier | None",
    weights: "Tensor",
    sim_net: "TrainedSimNet | None",
) -> "WeakShotClassifier":
    """The module to train or to score.

    Raises:
        CheckpointError: a classifier to score knows other classes.
    """
    from terrashot.papers.simtrans.losses.graph_regularisation import GraphRegularisation
    from terrashot.papers.simtrans.training.weak_shot import WeakShotClassifier

    options, names = settings.weak_shot, classes.own_names
    graph = None
    if options.alpha and sim_net is not None:
        graph = GraphRegularisation(
            options.mu, options.graph, options.normalise, options.same_label, options.symmetric
        )
    module = WeakShotClassifier(
        encoder,
        classes.ids,
        classes.novel,
        weights,
        run.plan(),
        graph,
        options.alpha,
        None if graph is None or sim_net is None else sim_net.network,
        names=names,
    )
    if began is not None and began.classes == names:
        began.load_linear(module.classifier)
    elif began is not None and options.trained is not None:
        found = ", ".join(began.classes[:5]) or "without names"
        raise CheckpointError(
            f"{began.path} tells {len(began.classes)} classes apart ({found}, ...), but this run "
            f"has {len(names)} ({', '.join(names[:5])}, ...). Score it on the data and with "
            f"weak_shot.classes={options.classes} as it was trained."
        )
    return module


def fit_and_test(
    settings: Settings, run: Run, module: "WeakShotClassifier", data: "WeightedLoaders", told: str
) -> None:
    """Train and score; with ``weak_shot.trained`` score alone."""
    trains = settings.weak_shot.trained is None
    # Nothing novel may choose a checkpoint: the last one counts.
    data.trainer = run.start(trains=trains, best=False)
    if is_alternate(settings.weak_shot):
        module.graph_batches = data.first_pass
    run.say(told)
    if trains:
        run.fit(module, data)
    run.test(module, data)


def class_accuracies(module: "WeakShotClassifier") -> dict[str, float | None]:
    """Share of right answers for each class, all classes to choose from; None: no test unit."""
    counts = module.confusion.double()
    totals = counts.sum(dim=1)
    return {
        name: round(float(counts[i, i] / totals[i]), 6) if float(totals[i]) else None
        for i, name in enumerate(module.names)
    }


def report(
    settings: Settings,
    run: Run,
    module: "WeakShotClassifier",
    data: "WeightedLoaders",
    title: str,
    content: Mapping[str, Any],
    quality: Mapping[str, float],
) -> None:
    """results.json, the tables of scores and of classes.

    Args:
        settings: Of the run.
        run: The run.
        module: Scored.
        data: Its units.
        title: Of the table.
        content: What else results.json says.
        quality: How good the weights are.
    """
    from terrashot.papers.simtrans.figures.value_table import accuracy_table, value_table

    metrics = run.metrics() | dict(quality)
    for logger in run.trainer.loggers:
        logger.log_metrics(dict(quality), step=run.trainer.global_step)
    accuracies = class_accuracies(module)
    run.write_results(
        metrics,
        {
            **content,
            "outputs": module.names,
            "confusion": module.confusion.tolist(),
            "per_class": accuracies,
        },
    )
    shown = {k: v for k, v in metrics.items() if k.startswith(("test/", "weights/"))}
    run.console.print(value_table(title, shown))
    run.console.print(accuracy_table("top-1 accuracy of each class", accuracies))
    name = SCORES["novel"]
    run.close(name, metrics[name])


def save_weights_figure(
    run: Run,
    weights: "Tensor",
    units: "UnitSet",
    classes: Classes,
    clean: "np.ndarray | None" = None,
) -> None:
    """Draw noisy units from the least to the most trusted."""
    from terrashot.callbacks.media import log_figure
    from terrashot.papers.simtrans.figures.weights_figure import weights_figure
    from terrashot.reporting.figures import save_figure

    names = {i: classes.names[i] for i in classes.novel}
    figure = weights_figure(weights, units, names, clean)
    save_figure(figure, run.path / "figures" / "weights.png")
    log_figure(run.trainer.loggers, "test/weights", figure, run.trainer.global_step)
