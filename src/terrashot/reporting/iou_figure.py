"""IoU of each class as bars."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from terrashot.evaluation.scores import GfssScores
from terrashot.reporting.figures import BASE, INK, MUTED, NOVEL, clean_axis, new_figure
from terrashot.taxonomy import Taxonomy


def iou_figure(
    scores: GfssScores,
    taxonomy: Taxonomy,
    reference: GfssScores | None = None,
    labels: tuple[str, str] = ("adapted", "base model"),
    title: str = "IoU by class",
) -> Figure:
    """Draw the IoU of each class, base and novel apart, their means as dashed lines.

    Args:
        scores: What the long bars show.
        taxonomy: Names the classes.
        reference: A second series, drawn in grey below each bar.
        labels: Names of the two series.
        title: Stands above the bars.

    Returns:
        A figure. Absent classes (nan) say so instead of a bar.
    """
    classes = [c for c in taxonomy.classes if c.index < len(scores.iou)]
    figure, (axis,) = new_figure(6.4, 1.3 + (0.36 if reference is None else 0.5) * len(classes))
    thick = 0.62 if reference is None else 0.4
    for row, land in enumerate(classes):
        color = _color(land.index, taxonomy)
        shift = 0.0 if reference is None else -thick / 2
        _bar(axis, row + shift, scores.iou[land.index], thick, color, INK)
        if reference is not None:
            value = reference.iou[land.index] if land.index < len(reference.iou) else math.nan
            _bar(axis, row + thick / 2, value, thick * 0.8, "#c8cdd3", MUTED)
    for ids, mean, color in (
        (taxonomy.base_ids, scores.base_miou, BASE),
        (taxonomy.novel_ids, scores.novel_miou, NOVEL),
    ):
        if ids and math.isfinite(mean):
            axis.plot([mean, mean], [ids[0] - 0.5, ids[-1] + 0.5], "--", color=color, linewidth=1.2)
    axis.set_yticks(range(len(classes)), [c.name for c in classes])
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(classes) - 0.4, -0.6)
    axis.set_xlim(0, 1.0)
    axis.set_xlabel("IoU")
    axis.set_title(title, loc="left")
    handles = [Patch(color=BASE, label=f"base, mean {_text(scores.base_miou)}")]
    if taxonomy.num_novel:
        handles.append(Patch(color=NOVEL, label=f"novel, mean {_text(scores.novel_miou)}"))
    if reference is not None:
        handles.append(Patch(color="#c8cdd3", label=f"{labels[1]} (colour: {labels[0]})"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    clean_axis(axis, grid="x")
    return figure


def _color(index: int, taxonomy: Taxonomy) -> str:
    if index == 0:
        return MUTED
    return BASE if index < taxonomy.num_base else NOVEL


def _bar(axis: Axes, row: float, value: float, thick: float, color: str, ink: str) -> None:
    if math.isnan(value):
        axis.text(0.01, row, "absent", va="center", fontsize=7.5, color=MUTED, style="italic")
        return
    axis.barh(row, value, height=thick, color=color)
    inside = value > 0.93
    axis.text(
        value - 0.01 if inside else value + 0.008,
        row,
        f"{value:.3f}",
        va="center",
        ha="right" if inside else "left",
        fontsize=7.5,
        color="white" if inside else ink,
        # The line of the mean may run through the number.
        bbox=None if inside else {"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        zorder=3,
    )


def _text(value: float) -> str:
    return "absent" if math.isnan(value) else f"{value:.3f}"
