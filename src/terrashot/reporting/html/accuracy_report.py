"""The page of an assessment: accuracy and area of each class with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from terrashot.assessment.summary import MapAssessment
from terrashot.reporting.accuracy_rows import (
    ClassFigures,
    Figure,
    area_figure_text,
    area_text,
    class_figures,
    overall_figure,
    share_text,
)
from terrashot.reporting.html.page import render_page
from terrashot.reporting.html.parts import Cell, Fact, Head, HeatMap, Link, Notice, Section


@dataclass(frozen=True)
class Mark:
    """An interval on a scale, in percent of its length; ``tip`` says in words what it is."""

    at: float
    left: float
    width: float
    tip: str


@dataclass(frozen=True)
class ClassMarks:
    """One class as the page shows it; a mark is None where nothing is known."""

    name: str
    color: str | None
    looked_at: int
    mapped: str
    mapped_size: float
    mapped_at: float
    area: str
    area_size: float
    area_mark: Mark | None
    users: str
    users_mark: Mark | None
    producers: str
    producers_mark: Mark | None


@dataclass(frozen=True)
class AccuracyReport:
    """The fields of ``accuracy.html``."""

    title: str
    kicker: str
    facts: list[Fact]
    notices: list[Notice]
    sections: list[Section]
    overall: str
    overall_margin: str
    overall_meaning: str
    total: int
    whole: str
    classes: list[ClassMarks]
    looked_at: str
    unit: str
    largest: str
    intervals: str
    matrix: HeatMap
    config: list[Fact]
    links: list[Link]


def accuracy_page(
    assessment: MapAssessment, title: str, facts: Sequence[Fact], links: Sequence[Link]
) -> str:
    """The whole page.

    Args:
        assessment: What was found.
        title: Of the map.
        facts: Which files were read, and how.
        links: Files beside the page.
    """
    rows = class_figures(assessment)
    # Both ends of the scale of areas: nothing, and the largest that an interval reaches.
    largest = max(max(row.mapped, row.area.high or 0.0, row.area.value or 0.0) for row in rows)
    value, _, margin = share_text(overall_figure(assessment)).partition(" ± ")
    intervals = (
        f"{100 * assessment.confidence:g} % intervals"
        if assessment.sampled
        else "counted, without intervals"
    )
    return render_page(
        "accuracy.html",
        AccuracyReport(
            title=title,
            kicker=f"how good is the map · {assessment.total} {assessment.looked_at}",
            facts=list(facts),
            notices=[
                Notice("note", "What is assumed", assessment.assumption),
                *[
                    Notice("warning", "Of the input", note[:1].upper() + note[1:])
                    for note in assessment.notes
                ],
            ],
            sections=[
                Section("summary", "Summary"),
                Section("areas", "Areas"),
                Section("classes", "Accuracy"),
                Section("matrix", "Error matrix"),
            ],
            overall=value,
            overall_margin=f"± {margin} %" if margin else "%",
            overall_meaning=f"of the area is mapped rightly ({intervals})",
            total=assessment.total,
            whole=area_text(assessment.whole, assessment.whole),
            classes=[_marks(row, assessment, largest) for row in rows],
            looked_at=assessment.looked_at,
            unit=assessment.unit,
            largest=area_text(largest, assessment.whole),
            intervals=intervals,
            matrix=_matrix(assessment),
            config=[],
            links=list(links),
        ),
    )


def _marks(row: ClassFigures, assessment: MapAssessment, largest: float) -> ClassMarks:
    whole, unit = assessment.whole, assessment.unit
    area = area_figure_text(row.area, whole)
    return ClassMarks(
        name=row.name,
        color=row.color,
        looked_at=row.looked_at,
        mapped=area_text(row.mapped, whole),
        mapped_size=row.mapped,
        mapped_at=100 * row.mapped / largest,
        area=area,
        area_size=row.area.value or 0.0,
        area_mark=_mark(row.area, largest, f"{row.name}: {area} {unit}"),
        users=share_text(row.users),
        users_mark=_mark(row.users, 1, f"{row.name}: user's accuracy {share_text(row.users)} %"),
        producers=share_text(row.producers),
        producers_mark=_mark(
            row.producers, 1, f"{row.name}: producer's accuracy {share_text(row.producers)} %"
        ),
    )


def _mark(figure: Figure, largest: float, tip: str) -> Mark | None:
    if figure.value is None:
        return None
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    at, left, right = (100 * value / largest for value in (figure.value, low, high))
    return Mark(at, left, right - left, tip)


def _matrix(assessment: MapAssessment) -> HeatMap:
    names, matrix = assessment.names, assessment.accuracy.matrix
    heads = [
        Head(name, color or "transparent", "")
        for name, color in zip(names, assessment.colors, strict=True)
    ]
    rows: list[list[Cell] | None] = [
        [
            Cell(
                text=f"{100 * share:.2f}" if share >= 5e-5 else "",
                heat=share / max(float(matrix.max()), 1e-12),
                tip=f"{names[i]} on the map, {names[j]} in the reference: {100 * share:.3f} % of "
                f"the area, {int(assessment.counts[i, j])} {assessment.looked_at}",
                marked=i == j,
            )
            for j, share in enumerate(row)
        ]
        for i, row in enumerate(matrix.tolist())
    ]
    return HeatMap(
        anchor="matrix",
        title="Error matrix",
        explanation="Percent of the whole area by class of the map (rows) and of the reference "
        "(columns), each cell weighted by the area that its sample stands for; the diagonal is "
        "what is mapped rightly. Point at a cell for what was looked at.",
        row_title="map",
        column_title="reference",
        row_heads=heads,
        column_heads=heads,
        rows=rows,
    )
