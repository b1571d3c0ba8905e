"""The scores of one evaluation: figures in the run folder, tables and pictures in the loggers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from terrashot.callbacks.media import log_figure, log_table
from terrashot.evaluation.scores import GfssScores, gfss_scores
from terrashot.reporting.class_table import summary_fields
from terrashot.reporting.confusion_figure import confusion_figure
from terrashot.reporting.figures import save_for_paper
from terrashot.reporting.iou_figure import iou_figure
from terrashot.reporting.rule_table import RULE_COLUMNS
from terrashot.reporting.similarity_figure import similarity_figure
from terrashot.reporting.transition_figure import transition_figure
from terrashot.taxonomy import Taxonomy


@rank_zero_only
def report_scores(
    loggers: Iterable[Logger],
    folder: Path,
    confusion: Tensor,
    taxonomy: Taxonomy,
    stage: str = "test",
    step: int = 0,
    references: Mapping[str, GfssScores] | None = None,
) -> None:
    """Publish what one confusion matrix says; called once, when the evaluation is complete.

    Writes ``figures/<stage>_confusion.png`` and ``figures/<stage>_iou.png``, each as PDF too, and
    logs ``<stage>/classes`` (a table), ``<stage>/confusion`` and ``<stage>/iou_by_class``
    (pictures).
    Only the first process does anything. The plain numbers are the task's to log.

    Args:
        loggers: All loggers of the trainer.
        folder: The run folder.
        confusion: Pixel counts [K, K], rows = truth, summed over all processes.
        taxonomy: Names, colours and roles.
        stage: ``val`` or ``test``.
        step: The trainer's global step.
        references: Other results by name, the first of them drawn beside.
    """
    loggers = list(loggers)
    scores = gfss_scores(confusion, taxonomy)
    name, reference = next(iter((references or {}).items()), ("", None))
    figures = {
        "confusion": confusion_figure(confusion, taxonomy),
        "iou": iou_figure(scores, taxonomy, reference, ("this run", name)),
    }
    for label, figure in figures.items():
        save_for_paper(figure, folder / "figures" / f"{stage}_{label}.png")
    log_figure(loggers, f"{stage}/confusion", figures["confusion"], step)
    log_figure(loggers, f"{stage}/iou_by_class", figures["iou"], step)
    columns = ["class", "role", "iou", "labelled pixels", "predicted pixels"]
    log_table(loggers, f"{stage}/classes", columns, class_rows(confusion, taxonomy), step)
    rows = [[label, _plain(getattr(scores, f))] for label, f in summary_fields(taxonomy).items()]
    log_table(loggers, f"{stage}/summary", ["score", "value"], rows, step)


@rank_zero_only
def report_rules(
    loggers: Iterable[Logger], rows: Sequence[Sequence[str | float | bool | None]], step: int
) -> None:
    """Log ``test/postprocess``: the scores before and after each rule of the post-processing.

    Args:
        loggers: All loggers of the trainer.
        rows: ``RULE_COLUMNS`` of the map before all rules and after each.
        step: As for the other tables of the evaluation.
    """
    log_table(loggers, "test/postprocess", RULE_COLUMNS, rows, step)


@rank_zero_only
def report_similarity(
    loggers: Iterable[Logger], folder: Path, similarity: Tensor, taxonomy: Taxonomy, name: str
) -> None:
    """Publish the base-to-novel similarity that a method started from.

    Writes ``figures/similarity.png`` and logs ``test/similarity`` (a picture).

    Args:
        loggers: All loggers of the trainer.
        folder: The run folder.
        similarity: ``[base, novel]``, columns summing to 1.
        taxonomy: Names the classes.
        name: The estimator's, as the title.
    """
    figure = similarity_figure(similarity, taxonomy, name)
    save_for_paper(figure, folder / "figures" / "similarity.png")
    log_figure(list(loggers), "test/similarity", figure, 0)


@rank_zero_only
def report_transition(
    loggers: Iterable[Logger], folder: Path, matrix: Tensor, taxonomy: Taxonomy, name: str
) -> None:
    """Publish the mean transition matrix of a run.

    Writes ``figures/transition.png`` and logs ``test/transition`` (a picture).

    Args:
        loggers: All loggers of the trainer.
        folder: The run folder.
        matrix: ``[classes, base]``.
        taxonomy: Names the classes.
        name: The transition's, as the title.
    """
    figure = transition_figure(matrix, taxonomy, name)
    save_for_paper(figure, folder / "figures" / "transition.png")
    log_figure(list(loggers), "test/transition", figure, 0)


def class_rows(confusion: Tensor, taxonomy: Taxonomy) -> list[list[str | float | int | None]]:
    """One row a class: name, role, IoU (None where absent), labelled and predicted pixels."""
    scores = gfss_scores(confusion, taxonomy)
    rows: list[list[str | float | int | None]] = []
    for land in taxonomy.classes:
        role = "novel" if land.index >= taxonomy.num_base else "base" if land.index else "-"
        labelled = int(confusion[land.index].sum())
        predicted = int(confusion[:, land.index].sum())
        rows.append([land.name, role, _plain(scores.iou[land.index]), labelled, predicted])
    return rows


def _plain(value: float) -> float | None:
    # JSON, which the loggers write, has no nan.
    return None if math.isnan(value) else float(value)
