"""Resizing of labels and masks by OpenCV's nearest neighbour, as ClassTrans' scores were taken."""

import numpy as np
import torch
from torch import Tensor


def opencv_nearest(ids: Tensor, sides: tuple[int, int]) -> Tensor:
    """Labels or a mask ``[H, W]`` at ``sides``, height and width.

    OpenCV takes the pixel whose index is the rounded-down ``x * scale``, so the picture moves by
    up to half a pixel; the pixel under the new pixel's centre is ``NEAREST_EXACT`` in torchvision.
    """
    height, width = ids.shape
    return ids[_sources(height, sides[0])][:, _sources(width, sides[1])]


def _sources(old: int, new: int) -> Tensor:
    # In OpenCV's order of operations, whose rounding decides where x * scale is a whole number.
    scale = 1.0 / (new / old)
    index = np.floor(np.arange(new) * scale).astype(np.int64)
    return torch.from_numpy(np.minimum(index, old - 1))
