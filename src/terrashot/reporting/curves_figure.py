"""Learning curves from the ``metrics.csv`` that the CSV logger leaves in a run folder."""

import csv
import math
from pathlib import Path

from matplotlib.figure import Figure

from terrashot.errors import DataError
from terrashot.reporting.figures import BASE, MUTED, NOVEL, clean_axis, new_figure

Curve = list[tuple[float, float]]
_LOSSES = ("train/loss", "train/loss_epoch", "train/loss_step", "val/loss")
_COLORS = (BASE, NOVEL, "#4d9a6a", "#a05195")


def read_curves(path: Path) -> dict[str, Curve]:
    """All metrics of a ``metrics.csv`` as ``{name: [(step, value), ...]}``.

    Raises:
        DataError: the file is missing or has no ``step`` column.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: there is no such file, but the learning curves are drawn from it; the csv "
            "logger writes it (logger=csv, or the default logger) at the end of the first epoch."
        )
    curves: dict[str, Curve] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if "step" not in (rows.fieldnames or []):
            raise DataError(
                f"{path}: the first line names the columns {rows.fieldnames}, but a 'step' column "
                "is needed; give the metrics.csv that a training run wrote."
            )
        for row in rows:
            for name, text in row.items():
                # A run killed while it wrote leaves a short last line: its cells are None.
                if name in ("step", "epoch") or not text or not row["step"]:
                    continue
                try:
                    point = (float(row["step"]), float(text))
                except (TypeError, ValueError):
                    continue
                if math.isfinite(point[1]):
                    curves.setdefault(name, []).append(point)
    return curves


def curves_figure(
    path: Path, title: str = "Learning curves", score: str = "mIoU", ending: str = "miou"
) -> Figure:
    """Draw the losses (left) and the validation scores (right) of a run over its steps.

    Args:
        path: The run's ``metrics.csv``.
        title: Stands above both.
        score: What the right axis shows, from 0 to 1.
        ending: Of the names of the scores that are drawn.
    """
    curves = read_curves(path)
    losses = {n: c for n, c in curves.items() if n in _LOSSES}
    scores = {n: c for n, c in curves.items() if n.startswith("val/") and n.endswith(ending)}
    figure, (left, right) = new_figure(8.4, 3.2, columns=2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    for axis, group, label in ((left, losses, "loss"), (right, scores, score)):
        for number, (name, curve) in enumerate(sorted(group.items())):
            steps, values = zip(*curve, strict=True)
            color = _COLORS[number % len(_COLORS)]
            marker = "o" if len(curve) <= 40 else None
            axis.plot(steps, values, color=color, marker=marker, markersize=3, label=name)
            if axis is right:
                step, best = max(curve, key=lambda point: point[1])
                axis.annotate(
                    f"{best:.3f}",
                    (step, best),
                    xytext=(0, 6),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=color,
                )
        axis.set_xlabel("optimizer step")
        axis.set_ylabel(label)
        clean_axis(axis, grid="y")
        if group:
            axis.legend(frameon=False, fontsize=8)
        else:
            axis.text(
                0.5, 0.5, "nothing logged", transform=axis.transAxes, ha="center", color=MUTED
            )
    if scores:
        right.set_ylim(0, 1)
    return figure
