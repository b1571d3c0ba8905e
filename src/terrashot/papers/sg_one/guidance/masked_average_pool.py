"""Masked average pooling: the mean feature under a mask."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Pooled(NamedTuple):
    """What lies under each mask of a batch.

    Args:
        vectors: Mean features ``[B, C]``; 0 under an empty mask.
        mass: Pixels under each mask ``[B]``.
    """

    vectors: Tensor
    mass: Tensor

    @property
    def valid(self) -> Tensor:
        """Which masks hold a pixel ``[B]``, bool."""
        return self.mass > 0


def masked_average_pool(features: Tensor, mask: Tensor) -> Pooled:
    """Mean of the features, upsampled to the mask, under the mask.

    Source: Zhang et al., "SG-One", 2018, equation 1. Bilinear upsampling is linear, so the mean is
    taken with the mask brought down by the transposed upsampling instead: the same numbers, and
    C times less memory. A mask of a single pixel keeps its place. Each mask is divided by its own
    sum.

    Args:
        features: ``[B, C, h, w]``.
        mask: ``[B, H, W]``, bool or weights of 0 and above; the features cover exactly this area.
    """
    # Sums over a quarter of a million pixels are lost in half precision.
    with torch.autocast(features.device.type, enabled=False):
        features = features if features.dtype == torch.float64 else features.float()
        weights = mask.to(features.dtype)  # [B, H, W]
        rows = _upsampling(features.shape[2], mask.shape[1], features)  # [h, H]
        columns = _upsampling(features.shape[3], mask.shape[2], features)  # [w, W]
        cells = rows @ weights @ columns.T  # [B, h, w]
        mass = weights.sum(dim=(1, 2))
        sums = torch.einsum("bchw,bhw->bc", features, cells)
        # Not an epsilon: an empty mask gives exactly 0, and its gradient is 0 and never nan.
        return Pooled(sums / torch.where(mass > 0, mass, 1).unsqueeze(1), mass)


def cosine_map(features: Tensor, prototypes: Tensor, eps: float = 1e-8) -> Tensor:
    """Cosine of each pixel's feature with each prototype.

    Source: Zhang et al., "SG-One", 2018, equation 2.

    Args:
        features: ``[B, C, h, w]``.
        prototypes: ``[K, C]`` for all images, or ``[B, K, C]``.
        eps: Least length of a vector; shorter ones have smaller cosines.

    Returns:
        Cosines ``[B, K, h, w]`` in -1..1.
    """
    if prototypes.ndim == 2:
        prototypes = prototypes.expand(len(features), -1, -1)
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True).clamp(min=eps)
    unit = prototypes / torch.linalg.vector_norm(prototypes, dim=2, keepdim=True).clamp(min=eps)
    return torch.einsum("bkc,bchw->bkhw", unit, features) / lengths


def _upsampling(small: int, large: int, like: Tensor) -> Tensor:
    """Bilinear upsampling of one axis as a matrix ``[small, large]``, corners not aligned."""
    identity = torch.eye(small, dtype=like.dtype, device=like.device)
    if small == large:
        return identity
    return functional.interpolate(
        identity.unsqueeze(0), size=large, mode="linear", align_corners=False
    )[0]
