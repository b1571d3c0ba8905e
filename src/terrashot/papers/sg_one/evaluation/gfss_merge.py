"""A map of base and novel classes from a base map and one score a novel class."""

import torch
from torch import Tensor


def merge_novel(base_map: Tensor, scores: Tensor, num_base: int, tau: float = 0.5) -> Tensor:
    """The best novel class where its score exceeds ``tau``, the base map elsewhere.

    Where novel classes overlap, the largest score wins.

    Args:
        base_map: Base classes ``[H, W]``.
        scores: Foreground probability of each novel class ``[novel, H, W]``.
        num_base: Base classes, background included: the id of the first novel class.
        tau: Threshold.

    Returns:
        Classes ``[H, W]``, int64.
    """
    best, novel = scores.max(dim=0)
    return torch.where(best > tau, novel + num_base, base_map.long())
