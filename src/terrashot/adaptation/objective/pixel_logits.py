"""Logits of pixels under a set of stage-2 parameters."""

import torch
from torch import Tensor

from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.base import Transition

Parameters = dict[str, Tensor]
"""Everything that stage 2 trains, by name: the base head, the novel head, the transition."""


def full_logits(
    parameters: Parameters,
    transition: Transition,
    pixels: Tensor,
    snapshot_scores: Tensor,
    scale: FeatureScale,
) -> tuple[Tensor, Tensor]:
    """Classification and transition logits, each ``[K, P]``, from one matrix product.

    Args:
        parameters: What stage 2 trains.
        transition: What is added to the classification logits.
        pixels: Features ``[C, P]``, as they are.
        snapshot_scores: ``S x`` of the frozen stage-1 head, without its bias ``[B, P]``.
        scale: What the parameters take the features for.
    """
    map_weight, map_bias = transition.maps(parameters)
    weight = torch.cat([parameters["base_weight"], parameters["novel_weight"], map_weight])
    bias = torch.cat([parameters["base_bias"], parameters["novel_bias"], map_bias])
    weight, bias = scale.to_raw(weight, bias)
    values = torch.addmm(bias.unsqueeze(1), weight, pixels)
    num_classes = len(bias) - len(map_bias)
    classification, maps = values.split([num_classes, len(map_bias)])
    return classification, transition.logits(parameters, maps, snapshot_scores)
