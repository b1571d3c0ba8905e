"""Coarser features for an affordable adaptation."""

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.errors import ConfigError


def reduce_stride(features: Tensor, factor: int) -> Tensor:
    """Average features ``[C, h, w]`` over windows of ``factor`` x ``factor``.

    A window cut by the border averages what it has.

    Raises:
        ConfigError: the factor is below 1.
    """
    if factor < 1:
        raise ConfigError(
            f"adaptation: the features would be reduced by a factor of {factor}, but it must be 1 "
            "or more. adaptation.feature_stride is the network's own stride or a multiple of it."
        )
    if factor == 1:
        return features
    pooled = functional.avg_pool2d(
        features.unsqueeze(0), factor, ceil_mode=True, count_include_pad=False
    )
    return pooled.squeeze(0)


def labels_to_size(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample a map ``[H, W]`` of labels or flags to ``size`` by nearest neighbour.

    The same pixels as ``torch.nn.functional.interpolate(mode="nearest")``, for any dtype.
    """
    if tuple(labels.shape) == tuple(size):
        return labels
    rows, columns = (
        torch.div(torch.arange(new, device=labels.device) * old, new, rounding_mode="floor")
        for old, new in zip(labels.shape, size, strict=True)
    )
    return labels[rows.unsqueeze(1), columns]
