"""The class table of a run as files: CSV with all digits, Markdown and LaTeX for texts."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from terrashot.files import atomic_write
from terrashot.reporting.html import formats
from terrashot.reporting.html.scores import ClassLine
from terrashot.reporting.latex_table import latex_table, markdown_table


def write_class_tables(
    folder: Path,
    classes: Sequence[ClassLine],
    means: Sequence[tuple[str, float | None, float | None]],
) -> None:
    """Write ``classes.csv`` (0 to 1), ``classes.md`` and ``classes.tex`` (percent).

    Args:
        folder: where to.
        classes: in label order.
        means: label, IoU, and the same of the stage-1 head.
    """
    head = ["class", "role", "IoU", "stage 1", "change"]
    rows = [[c.name, c.role, *_cells(c.iou, c.before)] for c in classes]
    rows += [[label, "", *_cells(value, before)] for label, value, before in means]
    edges = [i for i in range(1, len(classes)) if classes[i].role != classes[i - 1].role]
    texts = {
        "classes.csv": _csv(classes),
        "classes.md": markdown_table(head, rows, text_columns=2),
        "classes.tex": latex_table(head, rows, text_columns=2, rules_before=[*edges, len(classes)]),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _cells(value: float | None, before: float | None) -> list[str]:
    change = None if value is None or before is None else value - before
    return [formats.percent(value), formats.percent(before), formats.points(change)]


def _csv(classes: Sequence[ClassLine]) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["class", "role", "iou", "iou_stage1", "labelled_pixels", "predicted_pixels"])
    for c in classes:
        numbers = ["" if v is None else round(v, 6) for v in (c.iou, c.before)]
        writer.writerow([c.name, c.role, *numbers, c.labelled, c.predicted])
    return target.getvalue()
