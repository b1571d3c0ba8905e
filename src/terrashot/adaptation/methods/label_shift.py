"""Correction for other class shares in the query than the classifier was made for."""

from collections.abc import Callable

import torch
from torch import Tensor

from terrashot.adaptation.objective.support_loss import SupportLoss
from terrashot.adaptation.support.pixels import SupportPixels

_ITERATIONS = 100
_SMALLEST = 1e-6
"""No share is taken for smaller: a class must be able to come back."""


def shifted_shares(
    probabilities: Tensor, weights: Tensor, prior: Tensor, tolerance: float = 1e-6
) -> Tensor:
    """Class shares ``[K]`` of a query by expectation maximisation.

    Source: Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a Classifier to New a
    Priori Probabilities", Neural Computation 2002.

    Args:
        probabilities: Of the classifier as it is ``[K, P]``.
        weights: How much each pixel counts ``[P]``.
        prior: Class shares ``[K]`` that the classifier was made for.
        tolerance: It stops when no share changes by more.
    """
    prior = prior.clamp(min=_SMALLEST)
    weights = weights / weights.sum().clamp(min=1e-30)
    shares = prior
    for _ in range(_ITERATIONS):
        ratio = shares / prior
        posterior = probabilities * ratio.unsqueeze(1)
        posterior = posterior / posterior.sum(dim=0)
        new = (posterior @ weights).clamp(min=_SMALLEST)
        done = float((new - shares).abs().max()) <= tolerance
        shares = new
        if done:
            break
    return shares / shares.sum()


def shift_of_biases(
    probabilities: Tensor, weights: Tensor, prior: Tensor, strength: float
) -> Tensor:
    """What to add to the biases ``[K]``: ``strength log(shares / prior)``.

    Args:
        probabilities: See ``shifted_shares``.
        weights: See ``shifted_shares``.
        prior: See ``shifted_shares``.
        strength: 1 trusts the estimate, 0 leaves things as they are.
    """
    if not bool(weights.sum() > 0):  # a query without a valid pixel says nothing
        return torch.zeros_like(prior)
    shares = shifted_shares(probabilities, weights, prior)
    return strength * (shares / prior.clamp(min=_SMALLEST)).log()


def support_shares(
    support: SupportPixels, loss: SupportLoss, logits: Callable[[Tensor], Tensor]
) -> Tensor:
    """Class shares ``[K]`` of the support as a head sees it, weighted as in the loss.

    Args:
        support: The support pixels.
        loss: Says what they weigh.
        logits: Of the head, for pixels ``[C, n]``.
    """
    shares = support.like.new_zeros(support.num_classes)
    for block in support.blocks:
        weight = loss.rule(block.label or 0, block.tile_class).weight
        probabilities = logits(block.pixels.to(support.like)).softmax(dim=0)
        if block.weights is not None:
            probabilities = probabilities * block.weights
        shares += weight * probabilities.sum(dim=1)
    return shares / shares.sum()
