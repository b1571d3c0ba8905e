"""The tables of an assessment and of a sample in the terminal."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from terrashot.assessment.summary import MapAssessment
from terrashot.reporting.accuracy_rows import (
    area_figure_text,
    area_text,
    class_figures,
    overall_figure,
    share_text,
)
from terrashot.reporting.titled_table import titled_table

_FEW = 5
_NAME = 18


def accuracy_table(assessment: MapAssessment) -> Table:
    """A line a class, the overall accuracy below; percent and areas with their margins."""
    unit, whole = assessment.unit, assessment.whole
    table = titled_table(f"Area ({unit}) and accuracy (%) of each class{_interval(assessment)}")
    table.padding = (0, 1, 0, 0)  # the figures take 63 of 80 columns, names the rest
    table.add_column("class", overflow="fold", max_width=30)
    for name in (assessment.looked_at, "map", "area", "user's", "producer's"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = class_figures(assessment)
    for number, row in enumerate(rows, start=1):
        table.add_row(
            _label(row.name, row.color),
            str(row.looked_at),
            area_text(row.mapped, whole),
            area_figure_text(row.area, whole),
            share_text(row.users),
            share_text(row.producers),
            end_section=number == len(rows),
        )
    overall = share_text(overall_figure(assessment))
    total, area = str(assessment.total), area_text(whole, whole)
    table.add_row(Text("overall", style="bold"), total, area, "", overall, "")
    return table


def matrix_table(assessment: MapAssessment) -> Table:
    """The error matrix in percent of the whole area; columns have the numbers of the rows."""
    table = titled_table("Error matrix, % of the area (rows: map, columns: reference)")
    # Twelve classes fit 80 columns: names give way, which stand in full in the table of classes.
    many = len(assessment.names) > _FEW
    digits, width = (1, 4) if many else (2, 5)
    room = min(_NAME, max(6, 67 - 5 * len(assessment.names)))
    if many:
        table.padding = (0, 0, 0, 0)
    table.add_column("", justify="right", style="dim", min_width=2, no_wrap=True)
    table.add_column("class", no_wrap=True)
    for number in range(1, len(assessment.names) + 1):
        table.add_column(str(number), justify="right", min_width=width, no_wrap=True)
    table.add_column("total", justify="right", min_width=width + 1, no_wrap=True, style="dim")
    matrix = 100 * assessment.accuracy.matrix
    for number, row in enumerate(matrix):
        cells = [
            Text(
                "" if value == 0 else f"{value:.{digits}f}",
                style="bold" if number == column else "",
            )
            for column, value in enumerate(row.tolist())
        ]
        label = _label(_short(assessment.names[number], room), assessment.colors[number])
        table.add_row(str(number + 1), label, *cells, f"{row.sum():.{digits}f}")
    totals = [f"{value:.{digits}f}" for value in [*matrix.sum(axis=0).tolist(), 100.0]]
    table.add_row("", Text("total", style="dim"), *totals)
    return table


def sample_table(names: Sequence[str], shares: np.ndarray, units: np.ndarray) -> Table:
    """A line a stratum: its share of the area, and points."""
    table = titled_table("Points of each stratum")
    table.add_column("stratum", overflow="ellipsis", max_width=30, no_wrap=True)
    table.add_column("% of the area", justify="right")
    table.add_column("points", justify="right")
    for name, share, count in zip(names, shares.tolist(), units.tolist(), strict=True):
        table.add_row(Text(name), f"{100 * share:.2f}", str(count))
    return table


def _interval(assessment: MapAssessment) -> str:
    return f", {100 * assessment.confidence:g} % intervals" if assessment.sampled else ""


def _short(name: str, room: int) -> str:
    return name if len(name) <= room else f"{name[: room - 1]}\N{HORIZONTAL ELLIPSIS}"


def _label(name: str, color: str | None) -> Text:
    return Text.assemble(("■ ", color), name) if color else Text(name)
