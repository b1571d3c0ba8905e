"""Similarity from the cosine between class means."""

import torch
from torch import Tensor

from terrashot.similarity.estimator import FeatureBank, as_shares, cosine, present_classes
from terrashot.similarity.options import checked_temperature


class PrototypeCosine:
    """Softmax over base classes of the cosine between class means.

    The means are those of masked average pooling (Zhang et al., "SG-One", 2018): over the pixels
    of the class alone. Base classes without pixels take no part. Features of any scale give the
    same matrix.

    Args:
        temperature: The cosines are divided by it.
        centre: Take the mean over the classes off the class means first. Features after a ReLU
            all point the same way, so that without it every cosine is large. A mean over pixels
            would lie at the most frequent class and push that one away from all others.

    Raises:
        ConfigError: ``temperature`` is not above 0.
    """

    def __init__(self, temperature: float = 0.5, centre: bool = True) -> None:
        self.temperature = checked_temperature(temperature)
        self.centre = centre
        self.all_pixels = False

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, float64, each column summing to 1."""
        present = present_classes(base)
        base_means, novel_means = base.means.double()[present], novel.means.double()
        if self.centre:
            mean = torch.cat([base_means, novel_means]).mean(dim=0)
            base_means, novel_means = base_means - mean, novel_means - mean
        return as_shares(cosine(base_means, novel_means) / self.temperature, present)
