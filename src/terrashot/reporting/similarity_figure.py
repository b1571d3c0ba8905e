"""A similarity of base and novel classes as a picture."""

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from terrashot.reporting.figures import BASE, INK, NOVEL, new_figure
from terrashot.taxonomy import Taxonomy


def similarity_figure(
    similarity: Tensor | np.ndarray, taxonomy: Taxonomy, title: str = "Similarity"
) -> Figure:
    """Draw which base classes each novel class resembles.

    Args:
        similarity: Shares ``[base, novel]``, background first; each column sums to 1.
        taxonomy: Names the classes.
        title: Stands above the matrix; the estimator's name.

    Returns:
        A figure with the shares in percent; the largest of each novel class is framed. Columns of
        equal shares have no frame: nothing stands out there.

    Raises:
        ValueError: a matrix of another shape than the taxonomy's.
    """
    shares = torch.as_tensor(similarity).double().cpu().numpy()
    expected = (taxonomy.num_base, taxonomy.num_novel)
    if shares.shape != expected:
        raise ValueError(f"the similarity has shape {shares.shape}, the taxonomy {expected}")
    rows, columns = shares.shape
    figure, (axis,) = new_figure(3.4 + 0.85 * columns, 1.9 + 0.42 * rows)
    # The scale ends at the largest share, so that patterns of many small ones can be seen too.
    top = max(float(shares.max()), 1e-12)
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for row, column in np.ndindex(rows, columns):
        share = float(shares[row, column])
        largest = share == shares[:, column].max() and np.ptp(shares[:, column]) > 1e-9
        axis.text(
            column,
            row,
            _percent(share),
            ha="center",
            va="center",
            fontsize=8.5,
            fontweight="bold" if largest else "normal",
            color="white" if share > 0.55 * top else INK,
        )
        if largest:
            corner = (column - 0.46, row - 0.44)
            axis.add_patch(
                Rectangle(corner, 0.92, 0.88, fill=False, edgecolor=NOVEL, linewidth=1.6)
            )
    axis.set_xticks(range(columns), taxonomy.names[taxonomy.num_base :])
    axis.set_yticks(range(rows), taxonomy.names[: taxonomy.num_base])
    for label in axis.get_xticklabels():
        label.set(rotation=25, ha="right", rotation_mode="anchor", fontweight="bold")
    axis.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    axis.set_xlabel("novel class", color=NOVEL)
    axis.set_ylabel("base class", color=BASE)
    axis.set_title(f"{title} (% of each novel class)", loc="left", fontsize=9)
    bar = figure.colorbar(image, ax=axis, shrink=0.7, ticks=[0, top])
    bar.ax.set_yticklabels(["0 %", f"{_percent(top)} %"])
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


def _percent(share: float) -> str:
    """A share in percent; one digit more where a whole number would read as 0."""
    percent = 100 * share
    return f"{percent:.1f}" if 0.05 <= percent < 0.95 else f"{percent:.0f}"
