"""How alike a SimNet finds the units of two classes, as a picture."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from terrashot.reporting.figures import INK, NOVEL, new_figure


def pair_figure(between: Tensor, names: Sequence[str], held_out: Sequence[str]) -> Figure:
    """Draw mean similarities between classes.

    Args:
        between: Mean probability of one class ``[n, n]``.
        names: Of the classes.
        held_out: Those never trained on, drawn in another colour.
    """
    values = between.double().cpu().numpy()
    size = len(names)
    figure, (axis,) = new_figure(3.0 + 0.6 * size, 2.0 + 0.45 * size)
    axis.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(size, size):
        value = float(values[row, column])
        colour = "white" if value > 0.55 else INK
        axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(size), list(names))
    axis.set_yticks(range(size), list(names))
    for label in [*axis.get_xticklabels(), *axis.get_yticklabels()]:
        label.set_color(NOVEL if label.get_text() in held_out else INK)
    for label in axis.get_xticklabels():
        label.set(rotation=25, ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title("mean similarity (held-out classes in orange)", loc="left", fontsize=9)
    return figure
