"""The linear head of stage 1 and what stage 2 makes of it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from terrashot.adaptation.objective.pixel_logits import full_logits
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.base import Transition


@dataclass(frozen=True)
class LinearHead:
    """A 1x1 classifier: ``weight [K, C]`` and ``bias [K]``."""

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Features ``[..., C, h, w]`` to logits ``[..., K, h, w]``."""
        scores = torch.einsum("kc,...chw->...khw", self.weight, features)
        return scores + self.bias[:, None, None]

    def to(self, like: Tensor) -> "LinearHead":
        """The head in the dtype and on the device of a tensor, cut off from any graph."""
        return LinearHead(self.weight.detach().to(like), self.bias.detach().to(like))


@dataclass(frozen=True)
class AdaptedHead:
    """The result of adaptation to one query: classifier and transition over all K classes.

    Args:
        parameters: ``base_weight``, ``base_bias``, ``novel_weight``, ``novel_bias`` and those of
            the transition, for scaled features.
        transition: What is added to the classification logits.
        snapshot_weight: Frozen weight of the stage-1 head ``[B, C]``, for unscaled features.
        scale: What the parameters take the features for.
        diverged: Whether logits left the range in which they mean anything.
        history: Loss terms every few iterations, plain numbers.
        pi: Class shares of the query that the KL term pulls to ``[K]``, where there is one.
    """

    parameters: dict[str, Tensor]
    transition: Transition
    snapshot_weight: Tensor
    scale: FeatureScale
    diverged: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    pi: Tensor | None = None

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Features ``[C, h, w]`` to logits ``[K, h, w]``, classification and transition."""
        pixels = features.to(self.snapshot_weight).flatten(1)  # [C, P]
        scores = self.snapshot_weight @ pixels
        classification, transition = full_logits(
            self.parameters, self.transition, pixels, scores, self.scale
        )
        return (classification + transition).unflatten(1, features.shape[1:])
