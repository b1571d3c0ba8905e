"""Feature vectors of pixels as samples."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from terrashot.papers.simtrans.patches.dataset import Unit


class VectorDataset(Dataset[Unit]):
    """Pixels with their features, all in memory.

    Args:
        features: ``[n, C]``.
        labels: Class ids ``[n]``.
        groups: Number of each pixel's tile ``[n]``.
    """

    def __init__(self, features: Tensor, labels: Tensor, groups: Tensor) -> None:
        self.features = features
        self.labels = labels.numpy().astype(np.int64)
        self.groups = groups.numpy().astype(np.int64)

    def part(self, kept: Tensor) -> "VectorDataset":
        """Some of the pixels, bool ``[n]``."""
        labels, groups = torch.from_numpy(self.labels), torch.from_numpy(self.groups)
        return VectorDataset(self.features[kept], labels[kept], groups[kept])

    def plain(self) -> "VectorDataset":
        """Itself: pixels are not augmented."""
        return self

    def __len__(self) -> int:
        """Number of pixels."""
        return len(self.features)

    def __getitem__(self, key: int | tuple[int, int]) -> Unit:
        """The pixel at ``index`` or ``(index, seed)``; nothing here is random."""
        index = key[0] if isinstance(key, tuple) else key
        return {"input": self.features[index], "label": int(self.labels[index]), "index": index}


def draw_per_class(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices of up to ``count`` places of each label in ``[n]``, labels ascending."""
    chosen = []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        chosen.append(members[torch.randperm(len(members), generator=generator)[:count]])
    return torch.cat(chosen) if chosen else labels.new_zeros(0)
