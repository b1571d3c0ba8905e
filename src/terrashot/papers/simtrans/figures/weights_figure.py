"""Noisy windows from the least to the most trusted, as a picture."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from terrashot.papers.simtrans.patches.dataset import PatchDataset
from terrashot.reporting.figures import BASE, NOVEL, new_figure
from terrashot.taxonomy import Taxonomy

_SHOWN = 8


def weights_figure(weights: Tensor, windows: PatchDataset, taxonomy: Taxonomy) -> Figure:
    """A row of windows for each novel class, evenly spaced from the lowest weight to the highest.

    Args:
        weights: ``[n]`` by window number.
        windows: The training windows.
        taxonomy: Names the classes.
    """
    labels = torch.from_numpy(windows.labels)
    rows = [i for i in taxonomy.novel_ids if bool((labels == i).any())]
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
            right = plain.patches[number].is_clean
            axis.spines[:].set(color=BASE if right else NOVEL, linewidth=2.5)
            axis.set_title(f"{float(weights[number]):.2f}", fontsize=8)
            if column == 0:
                axis.set_ylabel(taxonomy.names[label], fontsize=8)
    figure.suptitle("weights; blue: the label is right, orange: it is wrong", fontsize=9)
    return figure
