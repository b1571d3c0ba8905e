"""The confusion matrix as a picture."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from terrashot.reporting.figures import INK, MUTED, new_figure
from terrashot.taxonomy import Taxonomy


def row_shares(confusion: Tensor | np.ndarray) -> np.ndarray:
    """Each row divided by its sum, float64 [K, K]; rows of absent classes are nan."""
    counts = torch.as_tensor(confusion).double().cpu().numpy()
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def confusion_figure(
    confusion: Tensor | np.ndarray, taxonomy: Taxonomy, title: str = "Confusion matrix"
) -> Figure:
    """Draw where the pixels of each class went.

    Args:
        confusion: Pixel counts [K, K], rows = truth, columns = prediction.
        taxonomy: Names the K classes; a line parts base from novel.
        title: Stands above the matrix.

    Returns:
        A figure; each row sums to 100 %, rows of classes without a labelled pixel are grey and
        say so.
    """
    shares = row_shares(confusion)
    size = len(shares)
    names = taxonomy.names[:size]
    side = 2.6 + 0.52 * size
    figure, (axis,) = new_figure(side + 0.6, side)
    axis.set_facecolor("#f0f1f3")
    image = axis.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(size, size):
        share = shares[row, column]
        # Shares that would read as 0 only hide the ones that matter.
        if np.isfinite(share) and (share >= 0.005 or row == column):
            axis.text(
                column,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                fontweight="bold" if row == column else "normal",
                color="white" if share > 0.55 else INK,
            )
    for row in np.flatnonzero(np.isnan(shares).all(axis=1)).tolist():
        axis.text((size - 1) / 2, row, "no labelled pixel", ha="center", va="center", color=MUTED)
    edge = taxonomy.num_base - 0.5
    if taxonomy.num_base < size:
        axis.axhline(edge, color=INK, linewidth=1.4)
        axis.axvline(edge, color=INK, linewidth=1.4)
    axis.set_xticks(range(size), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(size), names)
    axis.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    for tick, label in enumerate([*axis.get_xticklabels(), *axis.get_yticklabels()]):
        label.set_fontweight("bold" if tick % size >= taxonomy.num_base else "normal")
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(f"{title} (% of the true class; novel classes in bold)", loc="left", fontsize=9)
    bar = figure.colorbar(image, ax=axis, shrink=0.6, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"])
    bar.outline.set_visible(False)
    return figure
