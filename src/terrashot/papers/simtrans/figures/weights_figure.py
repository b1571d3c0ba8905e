"""Noisy windows from the least to the most trusted, as a picture."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from terrashot.papers.simtrans.patches.units import UnitSet
from terrashot.reporting.figures import BASE, INK, NOVEL, new_figure

_SHOWN = 8
_ROWS = 12


def weights_figure(
    weights: Tensor,
    windows: UnitSet,
    names: Mapping[int, str],
    clean: np.ndarray | None = None,
) -> Figure:
    """A row of windows for each novel class, evenly spaced from the lowest weight to the highest.

    Args:
        weights: ``[n]`` by window number.
        windows: The training windows.
        names: Of the novel classes, by id; the first twelve that have windows are shown.
        clean: Which labels are right, bool ``[n]``; None: nobody knows.
    """
    labels = torch.from_numpy(windows.labels)
    rows = [i for i in names if bool((labels == i).any())][:_ROWS]
    figure, axes = new_figure(1.15 * _SHOWN, 1.45 * max(1, len(rows)), len(rows), _SHOWN)
    plain = windows.plain()
    for row, label in enumerate(rows):
        members = (labels == label).nonzero()[:, 0]
        order = members[weights[members].argsort(stable=True)]
        places = torch.linspace(0, len(order) - 1, _SHOWN).round().long()
        for column, number in enumerate(order[places].tolist()):
            axis = axes[row * _SHOWN + column]
            axis.imshow(plain[number]["input"].permute(1, 2, 0).numpy())
            axis.set_xticks([])
            axis.set_yticks([])
            colour = INK if clean is None else BASE if clean[number] else NOVEL
            axis.spines[:].set(color=colour, linewidth=1 if clean is None else 2.5)
            axis.set_title(f"{float(weights[number]):.2f}", fontsize=8)
            if column == 0:
                axis.set_ylabel(names[label], fontsize=8)
    known = "" if clean is None else "; blue: the label is right, orange: it is wrong"
    figure.suptitle(f"weights{known}", fontsize=9)
    return figure
