"""The figures of an assessment, class by class, as every table shows them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from terrashot.assessment.estimates import Estimates
from terrashot.assessment.summary import MapAssessment
from terrashot.reporting.html.formats import DASH


@dataclass(frozen=True)
class Figure:
    """An estimate, its standard error and its interval; None where it is not known.

    ``exact`` marks what was counted, not estimated.
    """

    value: float | None
    error: float | None
    low: float | None
    high: float | None
    margin: float | None
    exact: bool = False


@dataclass(frozen=True)
class ClassFigures:
    """One class of a map: areas in the unit of the assessment, accuracies from 0 to 1."""

    name: str
    color: str | None
    looked_at: int
    mapped: float
    area: Figure
    users: Figure
    producers: Figure


def class_figures(assessment: MapAssessment) -> list[ClassFigures]:
    """All classes, in the order of the map."""
    accuracy, whole = assessment.accuracy, assessment.whole
    areas = _figures(accuracy.shares, assessment, whole)
    users = _figures(accuracy.users, assessment)
    producers = _figures(accuracy.producers, assessment)
    return [
        ClassFigures(
            name=name,
            color=assessment.colors[number],
            looked_at=int(assessment.counts[number].sum()),
            mapped=float(assessment.mapped[number]),
            area=areas[number],
            users=users[number],
            producers=producers[number],
        )
        for number, name in enumerate(assessment.names)
    ]


def overall_figure(assessment: MapAssessment) -> Figure:
    """The overall accuracy, from 0 to 1."""
    return _figures(assessment.accuracy.overall, assessment)[0]


def share_text(figure: Figure) -> str:
    """A share in percent with its margin."""
    return _with_margin(figure, lambda value: f"{100 * value:.1f}")


def area_text(value: float, whole: float) -> str:
    """An area with as many digits as mean something beside the whole."""
    digits = 0 if whole >= 1e5 else 1 if whole >= 1e3 else 2 if whole >= 10 else 4
    return f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def area_figure_text(figure: Figure, whole: float) -> str:
    """An estimated area with its margin."""
    return _with_margin(figure, lambda value: area_text(value, whole))


def _with_margin(figure: Figure, shown: Callable[[float], str]) -> str:
    if figure.value is None:
        return DASH
    if figure.exact:
        return shown(figure.value)
    return f"{shown(figure.value)} ± {DASH if figure.margin is None else shown(figure.margin)}"


def _figures(found: Estimates, assessment: MapAssessment, scale: float = 1.0) -> list[Figure]:
    low, high = found.interval(assessment.confidence)
    margin = found.margins(assessment.confidence)
    columns = (found.values, found.errors, low, high, margin)
    rows = np.stack([np.atleast_1d(column) * scale for column in columns], axis=1)
    known = [[None if math.isnan(v) else v for v in row] for row in rows.tolist()]
    return [
        Figure(value, error, lower, upper, half, exact=not assessment.sampled)
        for value, error, lower, upper, half in known
    ]
