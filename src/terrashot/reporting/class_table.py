"""The table that closes an evaluation: one line a class, the means below."""

import math
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from terrashot.evaluation.scores import GfssScores
from terrashot.reporting.titled_table import titled_table
from terrashot.taxonomy import Taxonomy


def class_table(
    scores: GfssScores,
    taxonomy: Taxonomy,
    title: str = "IoU by class",
    references: Mapping[str, GfssScores] | None = None,
) -> Table:
    """A table that fits 80 columns.

    Args:
        scores: The result.
        taxonomy: Names, colours and roles.
        title: Stands above the table.
        references: Other results by name (``{"base model": ...}``); each gets a column, and the
            first one a column with the change in points (IoU x 100).

    Returns:
        A rich table; classes without a pixel read ``absent`` and are in no mean.
    """
    others = dict(references or {})
    first = next(iter(others.values()), None)
    table = titled_table(title)
    table.add_column("class", no_wrap=True, overflow="ellipsis", max_width=30)
    table.add_column("role", no_wrap=True)
    table.add_column("IoU", justify="right", no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", style="dim", overflow="fold")
    if first is not None:
        table.add_column("change", justify="right", no_wrap=True)

    def add(label: Text, role: str, value: float, rest: list[float], end: bool = False) -> None:
        cells = [label, Text(role, style="dim"), _number(value), *(_number(v) for v in rest)]
        if first is not None:
            cells.append(_change(value, rest[0]))
        table.add_row(*cells, end_section=end)

    classes = [c for c in taxonomy.classes if c.index < len(scores.iou)]
    edges = {taxonomy.num_base - 1, len(classes) - 1}
    for land in classes:
        label = Text.assemble(("■ ", land.color), land.name)
        rest = [_at(other.iou, land.index) for other in others.values()]
        role = _role(land.index, taxonomy)
        add(label, role, scores.iou[land.index], rest, end=land.index in edges)
    for name, field in summary_fields(taxonomy).items():
        rest = [float(getattr(other, field)) for other in others.values()]
        add(Text(name, style="bold"), "", float(getattr(scores, field)), rest)
    return table


def summary_fields(taxonomy: Taxonomy) -> dict[str, str]:
    """The summary numbers in the order they are shown: label -> field of the scores."""
    if not taxonomy.num_novel:
        return {"base mIoU": "base_miou", "pixel accuracy": "pixel_accuracy"}
    return {
        "base mIoU": "base_miou",
        "novel mIoU": "novel_miou",
        "weighted mIoU": "weighted_miou",
        "mean mIoU": "mean_miou",
        "harmonic mIoU": "harmonic_miou",
        "pixel accuracy": "pixel_accuracy",
    }


def _role(index: int, taxonomy: Taxonomy) -> str:
    if index == 0:
        return "-"
    return "base" if index < taxonomy.num_base else "novel"


def _at(values: list[float], index: int) -> float:
    # A base model knows no novel class: what it lacks is absent, not zero.
    return values[index] if index < len(values) else math.nan


def _number(value: float) -> Text:
    return Text("absent", style="dim italic") if math.isnan(value) else Text(f"{value:.3f}")


def _change(value: float, reference: float) -> Text:
    if math.isnan(value) or math.isnan(reference):
        return Text("")
    points = 100 * (value - reference)
    if abs(points) < 0.05:
        return Text("0.0", style="dim")
    return Text(f"{points:+.1f}", style="green" if points > 0 else "red")
