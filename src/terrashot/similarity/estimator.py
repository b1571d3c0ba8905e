"""The interface of base-to-novel similarity."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class FeatureBank:
    """What the support says about the features of some classes.

    Args:
        sums: Sum of the feature vectors of each class ``[classes, C]``.
        counts: Pixels of each class ``[classes]``.
        total_pixels: All pixels of all support tiles, padding included.
    """

    sums: Tensor
    counts: Tensor
    total_pixels: int

    @property
    def means(self) -> Tensor:
        """Mean feature of each class ``[classes, C]``; 0 for a class without pixels."""
        return self.sums / self.counts.clamp(min=1).unsqueeze(1)


class SimilarityEstimator(Protocol):
    """How much each novel class resembles each base class.

    ``all_pixels`` says how the base bank is drawn: from every support pixel, padding and novel
    ones included (as ClassTrans does), or from the pixels labelled background alone.
    """

    all_pixels: bool

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, not negative, each column summing to 1."""
        ...
