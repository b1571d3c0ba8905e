"""The interface of base-to-novel similarity."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from terrashot.errors import DataError


@dataclass(frozen=True)
class FeatureBank:
    """What the support says about the features of some classes.

    Args:
        sums: Sum of the feature vectors of each class ``[classes, C]``.
        counts: Pixels of each class ``[classes]``.
        total_pixels: All pixels of all support tiles, padding included.
        names: Names of the classes, where the estimator is to know them.
        pixels: Gives the features ``[C, n]`` of a class as the network made them, block by block,
            where an estimator may ask for single pixels.
        gain: What the sums have been multiplied by, one for all channels or one each.
    """

    sums: Tensor
    counts: Tensor
    total_pixels: int
    names: list[str] | None = None
    pixels: Callable[[int], Iterable[Tensor]] | None = None
    gain: float | Tensor = 1.0

    @property
    def means(self) -> Tensor:
        """Mean feature of each class ``[classes, C]``; 0 for a class without pixels."""
        return self.sums / self.counts.clamp(min=1).unsqueeze(1)

    def scaled(self, gain: float | Tensor) -> "FeatureBank":
        """The bank of the features multiplied by ``gain``, one for all channels or one each."""
        return replace(self, sums=self.sums * gain, gain=self.gain * gain)

    def pixels_of(self, index: int) -> Iterable[Tensor]:
        """Features ``[C, n]`` of a class, block by block.

        Raises:
            ValueError: the bank was made without them.
        """
        gain = self.gain
        each = gain.unsqueeze(1) if isinstance(gain, Tensor) and gain.ndim else gain
        return (block * each for block in self.raw_pixels_of(index))

    def raw_pixels_of(self, index: int) -> Iterable[Tensor]:
        """The same as the network made them, not multiplied by anything.

        Raises:
            ValueError: the bank was made without them.
        """
        if self.pixels is None:
            raise ValueError("this feature bank holds class sums alone, no single pixels")
        return self.pixels(index)


class SimilarityEstimator(Protocol):
    """How much each novel class resembles each base class.

    ``all_pixels`` says how the base bank is drawn: from every support pixel, padding and novel
    ones included (as ClassTrans does), or from the pixels labelled background alone.
    """

    all_pixels: bool

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, not negative, each column summing to 1.

        An estimator may offer its scores as they are (``prototype_cosine`` with normaliser none).
        """
        ...


def present_classes(base: FeatureBank) -> Tensor:
    """Which base classes have pixels ``[base]``, bool.

    Raises:
        DataError: none has.
    """
    present = base.counts > 0
    if not bool(present.any()):
        raise DataError(
            "similarity: no base class has a pixel in the support tiles, so novel classes have "
            "nothing to be compared with; at least one background pixel is expected. Check that "
            "the support labels hold background (0), or choose similarity=uniform."
        )
    return present


def as_shares(scores: Tensor, present: Tensor) -> Tensor:
    """Softmax of each column over the classes that are present.

    Args:
        scores: ``[present base, novel]``.
        present: Which base classes they belong to ``[base]``; the others get 0.

    Returns:
        Similarity ``[base, novel]``.
    """
    shares = scores.new_zeros(len(present), scores.shape[1])
    shares[present] = scores.softmax(dim=0)
    return shares


def cosine(base: Tensor, novel: Tensor) -> Tensor:
    """Cosines ``[base, novel]`` of vectors ``[base, C]`` and ``[novel, C]``; 0 for a 0 vector."""

    def unit(vectors: Tensor) -> Tensor:
        # No fixed epsilon: it would tie the outcome to the length of the features.
        length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        return vectors / torch.where(length > 0, length, torch.ones_like(length))

    return unit(base) @ unit(novel).T
