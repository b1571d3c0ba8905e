"""The features as stage 2 sees them: shifted and scaled by what the support shows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import DataError


@dataclass(frozen=True)
class FeatureScale:
    """Features are ``(x - mean) * factor``.

    No pixel is ever touched: weights of scaled features become weights of the features as they
    are, and gradients go the other way.

    Args:
        factor: One for all channels, a scalar, or one a channel ``[C]``.
        mean: ``[C]``, or None for 0.
    """

    factor: Tensor
    mean: Tensor | None = None

    def to_raw(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight ``[..., R, C]`` and bias ``[..., R]`` for the features as they are."""
        raw = weight * self.factor
        return raw, bias if self.mean is None else bias - raw @ self.mean

    def from_raw(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The reverse of ``to_raw``."""
        return weight / self.factor, bias if self.mean is None else bias + weight @ self.mean

    def gradient(self, by_weight: Tensor, by_bias: Tensor) -> Tensor:
        """Gradient by the weight of scaled features, from those by raw weight and bias."""
        if self.mean is not None:
            by_weight = by_weight - by_bias.unsqueeze(-1) * self.mean
        return by_weight * self.factor


def unscaled(like: Tensor) -> FeatureScale:
    """Features as they are."""
    return FeatureScale(like.new_ones(()))


def to_norm(support: SupportPixels, norm: float) -> FeatureScale:
    """Bring the root mean square length of the support's feature vectors to ``norm``."""
    found = support.rms_norm
    _refuse_zero(found)
    return FeatureScale(support.like.new_tensor(norm / found))


def standardised(support: SupportPixels) -> FeatureScale:
    """Bring every channel to mean 0 and standard deviation 1 over the labelled pixels.

    Channels that do (next to) nothing are not blown up: they keep the scale of the liveliest one
    of their part.
    Where the features have several parts, each further part is scaled so that all its channels
    together vary as much as those of the first: what is learned listens to each part alike.
    """
    total = torch.zeros(support.channels, dtype=torch.float64, device=support.like.device)
    for block in support.blocks:
        total += block.pixels.to(support.like).sum(dim=1)
    mean = (total / support.num_labelled).to(support.like)
    squares = torch.zeros_like(total)
    for block in support.blocks:  # a second pass: means can be large beside deviations
        centred = block.pixels.to(support.like) - mean.unsqueeze(1)
        squares += torch.linalg.vector_norm(centred, dim=1).double().square()
    deviation = (squares / support.num_labelled).sqrt()
    rounding = 1e-5 * float(mean.abs().max())
    _refuse_zero(float(deviation.max()) if float(deviation.max()) > rounding else 0.0)
    factors = []
    for part in deviation.split(support.parts):
        largest = part.max() if bool(part.max() > 0) else part.new_ones(())
        lively = torch.where(part > 1e-4 * largest, part, largest)
        factors.append((support.parts[0] / len(part)) ** 0.5 / lively)
    return FeatureScale(torch.cat(factors).to(support.like), mean)


def _refuse_zero(size: float) -> None:
    if size == 0:
        raise DataError(
            "support: the features are all 0 or alike, so nothing can be learnt from them. The "
            "stage-1 network is broken: check the checkpoint and its validation score."
        )
