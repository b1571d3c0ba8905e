"""No similarity at all: the control of every comparison."""

import torch
from torch import Tensor

from terrashot.similarity.estimator import FeatureBank


class Uniform:
    """Every novel class resembles every base class alike."""

    def __init__(self) -> None:
        self.all_pixels = False

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, float64, all entries 1/base."""
        shape = (len(base.counts), len(novel.counts))
        return torch.full(shape, 1 / shape[0], dtype=torch.float64, device=base.sums.device)
