"""From an adapted head to a map."""

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.adaptation.head import AdaptedHead


@torch.no_grad()
def predict_map(
    head: AdaptedHead,
    features: Tensor,
    size: tuple[int, int],
    align_corners: bool = True,
    return_probabilities: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Class map of one tile: softmax, bilinear upsampling of the probabilities, argmax.

    Args:
        head: The adapted head.
        features: Features of the tile at native stride ``[C, h, w]``.
        size: Height and width of the map.
        align_corners: Of the upsampling (ClassTrans: True).
        return_probabilities: Also return the upsampled probabilities.

    Returns:
        Classes ``[H, W]``, uint8, and probabilities ``[K, H, W]`` or None.
    """
    probabilities = head.logits(features).softmax(dim=0)
    upsampled = functional.interpolate(
        probabilities.unsqueeze(0), size=size, mode="bilinear", align_corners=align_corners
    ).squeeze(0)
    classes = upsampled.argmax(dim=0).to(torch.uint8)
    return classes, upsampled if return_probabilities else None
