"""Logits of pixels under a set of stage-2 parameters."""

import torch
from torch import Tensor

from terrashot.adaptation.transition.base import Transition

Parameters = dict[str, Tensor]
"""Everything that stage 2 trains, by name: the base head, the novel head, the transition."""


def classification_logits(parameters: Parameters, pixels: Tensor, gain: float = 1.0) -> Tensor:
    """Logits ``[K, P]`` of the classifier alone for pixels ``[C, P]``."""
    weight = torch.cat([parameters["base_weight"], parameters["novel_weight"]])
    bias = torch.cat([parameters["base_bias"], parameters["novel_bias"]])
    return torch.addmm(bias.unsqueeze(1), _scaled(weight, gain), pixels)


def full_logits(
    parameters: Parameters,
    transition: Transition,
    pixels: Tensor,
    snapshot_scores: Tensor,
    gain: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Classification and transition logits, each ``[K, P]``, from one matrix product.

    Args:
        parameters: What stage 2 trains.
        transition: What is added to the classification logits.
        pixels: Features ``[C, P]``.
        snapshot_scores: ``S x`` of the frozen stage-1 head, without its bias ``[B, P]``.
        gain: Factor of the features. It multiplies the weights, which saves a copy of the pixels.
    """
    map_weight, map_bias = transition.maps(parameters)
    weight = torch.cat([parameters["base_weight"], parameters["novel_weight"], map_weight])
    bias = torch.cat([parameters["base_bias"], parameters["novel_bias"], map_bias])
    values = torch.addmm(bias.unsqueeze(1), _scaled(weight, gain), pixels)
    num_classes = len(bias) - len(map_bias)
    classification, maps = values.split([num_classes, len(map_bias)])
    return classification, transition.logits(parameters, maps, snapshot_scores)


def _scaled(weight: Tensor, gain: float) -> Tensor:
    return weight if gain == 1.0 else weight * gain
