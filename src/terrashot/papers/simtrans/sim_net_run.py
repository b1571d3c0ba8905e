"""Training a SimNet on units, wherever they come from, and its report."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.settings import (
    ImageSimNetSettings,
    PairSettings,
    SimNetSettings,
)
from terrashot.tasks.bench import Run

if TYPE_CHECKING:
    from terrashot.papers.simtrans.network.sim_net import SimNet
    from terrashot.papers.simtrans.network.window_encoder import WindowEncoder
    from terrashot.papers.simtrans.patches.pair_units import PairUnits
    from terrashot.papers.simtrans.training.sim_net import SimNetTraining

_SHOWN = 30
"""Classes of the figure and of the table of similarities in the results."""


@dataclass(frozen=True)
class Start:
    """What a training begins with.

    Args:
        network: The SimNet.
        told: What to say of its weights.
    """

    network: "SimNet"
    told: str


def check_two_optimizers(settings: SimNetSettings | ImageSimNetSettings) -> None:
    """Raise a ConfigError for what two optimizers that step by hand rule out."""
    if settings.trainer.gradient_clip_val is not None:
        raise ConfigError(
            "trainer.gradient_clip_val cannot be used with SimNet, whose two optimizers step "
            "by hand. Set trainer.gradient_clip_val=null."
        )
    if settings.trainer.accumulate_grad_batches != 1:
        raise ConfigError(
            "trainer.accumulate_grad_batches must be 1 with SimNet, whose pairs are formed "
            "inside one batch. Raise units.batch_size instead."
        )


def check_classes(units: PairSettings, names: Sequence[str], data: str) -> None:
    """Raise a ConfigError for held-out classes that are none, or too few to train on.

    Args:
        units: What SimNet compares.
        names: Of the base classes.
        data: Name of the dataset.
    """
    held = units.held_out
    if held is not None and not set(held) <= set(names):
        raise ConfigError(
            f"units.held_out is {held}, but it needs some of the base classes "
            f"{', '.join(names[:_SHOWN])}; null chooses, [] holds none out."
        )
    count = 1 if held is None else len(set(held))
    if len(names) - count < 2:
        raise ConfigError(
            f"SimNet trains on at least two base classes beside the held-out ones, but "
            f"data={data} has {', '.join(names)} in all. Hold fewer out with "
            "units.held_out, or use data with more base classes."
        )


def start_window_encoder(
    units: PairSettings,
    backbone: Mapping[str, Any] | None,
    mean: Sequence[float],
    std: Sequence[float],
) -> "tuple[WindowEncoder, str]":
    """The encoder with the weights of ``units.start``, or of ``backbone.weights``.

    Raises:
        CheckpointError: the weights are missing or do not fit.
        ConfigError: both are given, or another backbone.
    """
    from terrashot.papers.simtrans.network.classifier_file import classifier_file, load_classifier
    from terrashot.papers.simtrans.network.start import start_encoder

    if units.start is None:
        return start_encoder(backbone or {}, mean, std)
    key = "units.start"
    trained = load_classifier(classifier_file(units.start, key))
    trained.check_backbone(backbone, key)
    return trained.encoder, f"encoder of {trained.path}"


def train_sim_net(
    settings: SimNetSettings | ImageSimNetSettings,
    run: Run,
    units: "PairUnits",
    start: Start,
    names: Sequence[str],
    val_per_class: int,
) -> None:
    """Train, going on from last.ckpt where the folder has one, and report.

    Args:
        settings: Of the run.
        run: The run.
        units: What is compared.
        start: The network to train.
        names: Of the classes by id.
        val_per_class: Most validation units of a class.
    """
    from terrashot.papers.simtrans.patches.units import PairDataModule
    from terrashot.papers.simtrans.training.sim_net import SimNetTraining

    options = settings.units
    module = SimNetTraining(
        start.network,
        run.plan(),
        units.held_out,
        beta=options.beta,
        warm_up=options.warm_up,
        similar_weight=options.similar_weight,
        across_tiles=getattr(options, "across_tiles", False),
        about=units.about,
        domain_lr=options.domain_lr,
    )
    pairs = PairDataModule(
        units.train,
        units.val,
        units.novel,
        batch_size=options.batch_size,
        classes=options.classes,
        novel_classes=options.novel_classes,
        val_per_class=val_per_class,
        seed=settings.seed,
        num_workers=settings.data.num_workers,
        noisy_share=options.noisy_frac,
    )
    run.start()
    held = ", ".join(units.about["held_out"]) or "none"
    run.say(f"{start.told}; {len(units.train)} {options.kind} to train on, held out: {held}")
    run.fit(module, pairs)
    if run.is_first:
        _report(settings, run, module, names, units.about["held_out"])


def _report(
    settings: SimNetSettings | ImageSimNetSettings,
    run: Run,
    module: "SimNetTraining",
    class_names: Sequence[str],
    held_out: list[str],
) -> None:
    """Figure, results.json, the table."""
    from terrashot.callbacks.media import log_figure
    from terrashot.files import without_nan
    from terrashot.papers.simtrans.figures.pair_figure import pair_figure
    from terrashot.papers.simtrans.figures.value_table import value_table
    from terrashot.reporting.figures import save_figure
    from terrashot.tasks.of_data import following_data

    scores, options = module.scores, settings.units
    every = [class_names[i] for i in scores.classes]
    # A picture of hundreds of classes shows nothing: the held-out ones come first.
    order = sorted(range(len(every)), key=lambda i: every[i] not in held_out)[:_SHOWN]
    shown = sorted(order)
    names = [every[i] for i in shown]
    between = scores.between[shown][:, shown]
    figure = pair_figure(between, names, held_out)
    save_figure(figure, run.path / "figures" / "similarity.png")
    trainer = run.trainer
    log_figure(trainer.loggers, "val/similarity", figure, trainer.global_step)
    monitor, best = settings.callbacks.monitor, run.best_score()
    run.write_results(
        run.metrics(),
        {
            "best": without_nan({monitor: best}),
            "units": options.kind,
            "held_out": held_out,
            "pairs": scores.pairs,
            "similar_share": round(scores.similar_share, 6),
            "classes": names,
            "between": [[round(v, 4) for v in row] for row in between.tolist()],
        },
    )
    few = held_out[:5] + ([f"{len(held_out) - 5} more"] if len(held_out) > 5 else [])
    title = f"Pairs with {', '.join(few)}, never trained on" if few else "Pairs of all base classes"
    run.console.print(
        value_table(
            f"{title} (last validation)",
            {
                "pairs": scores.pairs,
                "of one class": scores.similar_share,
                "average precision": scores.ap,
                "F1": scores.f1,
            },
        )
    )
    following = "weak_shot" if options.kind == "windows" else "stage2 support_weighting=simnet"
    where = following_data(settings)
    if isinstance(settings, ImageSimNetSettings):
        given = {key: getattr(settings.data, key) for key in ("root", "base", "novel")}
        where += "".join(f" data.{k}={shlex.quote(v)}" for k, v in given.items() if v is not None)
    run.close(monitor, best, f"python run.py experiment={following}{where}")
