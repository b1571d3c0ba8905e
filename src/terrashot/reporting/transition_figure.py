"""A mean transition matrix as a picture."""

import math

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from terrashot.reporting.figures import BASE, INK, new_figure
from terrashot.taxonomy import Taxonomy


def transition_figure(
    matrix: Tensor | np.ndarray, taxonomy: Taxonomy, title: str = "Transition"
) -> Figure:
    """Draw what the scores of the base head add to the logit of each class.

    Args:
        matrix: ``[classes, base]``, background first; of either sign.
        taxonomy: Names the classes.
        title: Stands above the matrix; the transition's name.

    Returns:
        A figure on a scale that is symmetric about 0; a line parts base from novel classes.

    Raises:
        ValueError: a matrix of another shape than the taxonomy's.
    """
    values = torch.as_tensor(matrix).double().cpu().numpy()
    expected = (taxonomy.num_classes, taxonomy.num_base)
    if values.shape != expected:
        raise ValueError(f"the transition has shape {values.shape}, the taxonomy {expected}")
    rows, columns = values.shape
    figure, (axis,) = new_figure(3.2 + 0.55 * columns, 1.9 + 0.4 * rows)
    values, unit = in_units(values)
    top = max(float(np.abs(values).max()), 1e-12)
    image = axis.imshow(values, cmap="RdBu", vmin=-top, vmax=top, aspect="auto")
    for row, column in np.ndindex(rows, columns):
        value = values[row, column]
        axis.text(
            column,
            row,
            shown(float(value)),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if abs(value) > 0.6 * top else INK,
        )
    axis.axhline(taxonomy.num_base - 0.5, color=INK, linewidth=1.4)
    axis.set_xticks(range(columns), taxonomy.names[:columns])
    for label in axis.get_xticklabels():
        label.set(rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(rows), taxonomy.names)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_xlabel("score of the frozen base head", color=BASE)
    axis.set_ylabel("logit")
    axis.set_title(f"{title}, mean over all query pixels{unit}", loc="left", fontsize=9)
    bar = figure.colorbar(image, ax=axis, shrink=0.6)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


def in_units(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Values times a power of ten that two digits suffice for, and the words that say so."""
    top = float(np.abs(values).max())
    if top >= 0.1 or top == 0:
        return values, ""
    exponent = math.floor(math.log10(top))
    return values / 10.0**exponent, f", times 1e{exponent}"


def shown(value: float) -> str:
    """Two digits after the point; 0 for what would read as 0.00."""
    return f"{value:.2f}" if abs(value) >= 0.005 else "0"
