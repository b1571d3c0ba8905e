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
    stride: int,
    align_corners: bool = False,
    return_probabilities: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Class map of one tile: softmax, bilinear upsampling of the probabilities, argmax.

    Args:
        head: The adapted head.
        features: Features of the tile at native stride ``[C, h, w]``.
        size: Height and width of the map.
        stride: Image pixels a feature covers in each direction.
        align_corners: False: every feature covers its stride x stride pixels, as in stage 1. True:
            the outermost features lie on the outermost pixels (ClassTrans).
        return_probabilities: Also return the upsampled probabilities.

    Returns:
        Classes ``[H, W]``, uint8, and probabilities ``[K, H, W]`` or None.
    """
    probabilities = head.logits(features).softmax(dim=0)
    # Where the size is no multiple of the stride, the last features reach beyond the image.
    covered = [side * stride for side in probabilities.shape[1:]]
    upsampled = functional.interpolate(
        probabilities.unsqueeze(0),
        size=size if align_corners else covered,
        mode="bilinear",
        align_corners=align_corners,
    )[0, :, : size[0], : size[1]]
    classes = upsampled.argmax(dim=0).to(torch.uint8)
    return classes, upsampled if return_probabilities else None
