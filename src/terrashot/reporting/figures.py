"""What all figures share: their look, and how they reach the disk or a logger."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from terrashot.files import atomic_write

INK = "#24292f"
MUTED = "#8c959f"
BASE = "#3b6ea5"
NOVEL = "#d9822b"
PAPER_DPI = 220

# It tells each table of a font that goes into a PDF, wherever Hydra's launchers log to the console.
logging.getLogger("fontTools").setLevel(logging.WARNING)

_LOOK: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of ``width`` x ``height`` inches and its axes, row by row.

    It hangs on its own canvas: pyplot, which keeps every figure alive and wants a main thread,
    is not involved.
    """
    with rc_context(_LOOK):
        figure = Figure(figsize=(width, height), dpi=130, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [axis for row in axes for axis in row]


def clean_axis(axis: Axes, grid: str | None = None) -> None:
    """Take away the box above and at the right; draw a faint grid along ``grid`` (x or y)."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_axisbelow(True)
    if grid == "x":
        axis.grid(axis="x", color="#e5e8eb", linewidth=0.8)
    elif grid == "y":
        axis.grid(axis="y", color="#e5e8eb", linewidth=0.8)


def figure_to_array(figure: Figure) -> np.ndarray:
    """The drawn figure as uint8 [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_figure(figure: Figure, path: Path, dpi: float | None = None) -> Path:
    """Write the figure in the format that the suffix of ``path`` names, whole or not at all."""
    with atomic_write(path) as temporary, rc_context({"pdf.fonttype": 42}):  # text stays text
        figure.savefig(temporary, dpi=dpi or figure.dpi)
    return path


def save_for_paper(figure: Figure, path: Path) -> None:
    """Write the figure as the picture ``path`` (PNG) and, beside it, as PDF."""
    save_figure(figure, path, PAPER_DPI)
    save_figure(figure, path.with_suffix(".pdf"))
