"""The figures of an assessment as files: CSV with all digits, LaTeX for texts."""

import csv
import io
from collections.abc import Iterable, Sequence

from terrashot.assessment.summary import MapAssessment
from terrashot.reporting.accuracy_rows import (
    Figure,
    area_figure_text,
    area_text,
    class_figures,
    overall_figure,
    share_text,
)
from terrashot.reporting.latex_table import latex_table

_PARTS = ("", "_standard_error", "_low", "_high")
CSV_COLUMNS = (
    "class", "looked_at", "unit", "map_area",
    *(f"area{part}" for part in _PARTS),
    *(f"users{part}" for part in _PARTS),
    *(f"producers{part}" for part in _PARTS),
    *(f"overall{part}" for part in _PARTS),
)  # fmt: skip
"""Of ``accuracy_csv``: areas in ``unit``, accuracies from 0 to 1."""


def accuracy_csv(assessment: MapAssessment) -> str:
    """A line a class, and a last one with the overall accuracy; empty where nothing is known."""
    rows: list[list[object]] = [
        [
            row.name,
            row.looked_at,
            assessment.unit,
            _digits(row.mapped),
            *_parts(row.area),
            *_parts(row.users),
            *_parts(row.producers),
            *[""] * 4,
        ]
        for row in class_figures(assessment)
    ]
    total: list[object] = ["(all)", assessment.total, assessment.unit]
    total += [_digits(assessment.whole), *[""] * 12, *_parts(overall_figure(assessment))]
    return _csv(CSV_COLUMNS, [*rows, total])


def matrix_csv(assessment: MapAssessment) -> str:
    """A line a cell: its share of the area, and how much of it was looked at."""
    names = assessment.names
    rows = [
        [mapped, true, _digits(float(share)), int(assessment.counts[i, j])]
        for i, mapped in enumerate(names)
        for j, true in enumerate(names)
        for share in [assessment.accuracy.matrix[i, j]]
    ]
    return _csv(["map_class", "reference_class", "share_of_area", assessment.looked_at], rows)


def accuracy_latex(assessment: MapAssessment) -> str:
    """Two tables: classes with their margins, and the error matrix in percent of the area."""
    unit, whole = assessment.unit, assessment.whole
    head = ["class", assessment.looked_at, f"map, {unit}", f"area, {unit}", "user's, %"]
    rows = [
        [
            row.name,
            str(row.looked_at),
            area_text(row.mapped, whole),
            area_figure_text(row.area, whole),
            share_text(row.users),
            share_text(row.producers),
        ]
        for row in class_figures(assessment)
    ]
    overall = share_text(overall_figure(assessment))
    last = ["overall accuracy, %", str(assessment.total), "", "", "", overall]
    table = latex_table([*head, "producer's, %"], [*rows, last], 1, rules_before=[len(rows)])
    names, matrix = assessment.names, 100 * assessment.accuracy.matrix
    cells = [
        [name, *(f"{value:.2f}" for value in row), f"{sum(row):.2f}"]
        for name, row in zip(names, matrix.tolist(), strict=True)
    ]
    totals = ["total", *(f"{value:.2f}" for value in matrix.sum(axis=0).tolist()), "100.00"]
    second = latex_table(
        ["map / reference", *names, "total"], [*cells, totals], 1, rules_before=[len(cells)]
    )
    note = "% " + " ".join(assessment.assumption.split()) + "\n"
    if assessment.sampled:
        note = f"% Half-widths of {100 * assessment.confidence:g} % intervals.\n{note}"
    # A figure group of a thousand is a thin space there as well.
    return (note + table + "\n" + second).replace("\N{NARROW NO-BREAK SPACE}", r"\,")


def _parts(figure: Figure) -> list[object]:
    return [_digits(v) for v in (figure.value, figure.error, figure.low, figure.high)]


def _digits(value: float | None) -> object:
    return "" if value is None else float(f"{value:.9g}")


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return target.getvalue()
