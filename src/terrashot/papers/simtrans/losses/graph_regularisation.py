"""Graph regularisation: units that SimNet calls alike get alike features."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrashot.errors import ConfigError


def relax(similarity: Tensor, mu: float) -> Tensor:
    """``(e^{mu x} - 1) / (e^mu - 1)``: below 0, mu lifts weak similarities; 0 is the identity."""
    if mu == 0:
        return similarity
    return torch.expm1(mu * similarity) / math.expm1(mu)


class GraphRegularisation(nn.Module):
    """Mean over all ordered pairs of ``A_ij |h_i - h_j|^2``, or of ``(cos(h_i, h_j) - A_ij)^2``.

    Source: SimTrans; A is the relaxed similarity. Distances come from inner products, so no tensor
    of B^2 differences is built.

    Args:
        mu: Of ``relax``.
        variant: ``distance`` or ``cosine``.
        normalise: Bring features to length 1 first. Distances of raw features have no bound, and
            their easiest minimum is that all features shrink.
        same_label: The affinity of pairs of unlike labels is 0 (``eye = 0`` of the published code):
            their distance does not count, their cosine is drawn to 0.
        symmetric: A comes from ``(S + S^T) / 2``; false: from S as it is, as published.

    Raises:
        ConfigError: another variant.
    """

    def __init__(
        self,
        mu: float = -4.0,
        variant: str = "distance",
        normalise: bool = True,
        same_label: bool = False,
        symmetric: bool = True,
    ) -> None:
        super().__init__()
        if variant not in ("distance", "cosine"):
            raise ConfigError(f"weak_shot.graph is '{variant}', but it must be distance or cosine.")
        self.mu = mu
        self.variant = variant
        self.normalise = normalise
        self.same_label = same_label
        self.symmetric = symmetric

    def forward(self, features: Tensor, similarity: Tensor, labels: Tensor) -> Tensor:
        """A scalar, normalised by B^2.

        Args:
            features: ``[B, C]``.
            similarity: In 0..1, ``[B, B]``, no gradient flows into it.
            labels: ``[B]``.
        """
        if self.symmetric:
            similarity = (similarity + similarity.T) / 2
        affinity = relax(similarity, self.mu).detach()
        if self.same_label:
            affinity = affinity * (labels.unsqueeze(0) == labels.unsqueeze(1))
        features = features.float()
        if self.variant == "cosine":
            unit = functional.normalize(features, dim=1)
            return (unit @ unit.T - affinity).square().mean()
        if self.normalise:
            features = functional.normalize(features, dim=1)
        return (affinity * squared_distances(features)).mean()


def squared_distances(features: Tensor) -> Tensor:
    """``|h_i - h_j|^2`` of all pairs ``[B, B]``, as ``|a|^2 + |b|^2 - 2 a b``."""
    # About the mean, where the three terms are not large numbers that cancel.
    features = features - features.mean(dim=0).detach()
    squares = features.square().sum(dim=1)
    return (squares.unsqueeze(0) + squares.unsqueeze(1) - 2 * features @ features.T).clamp(min=0)
