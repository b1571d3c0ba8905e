"""From the features' stride to the pixels of the image."""

from torch import Tensor
from torch.nn import functional as F


def upsample(
    maps: Tensor, size: tuple[int, int], stride: int, align_corners: bool = False
) -> Tensor:
    """Bring ``maps`` ``[K, h, w]`` or ``[B, K, h, w]`` to the image's ``size``, bilinearly.

    Args:
        maps: Logits or probabilities at feature resolution.
        size: Height and width of the image.
        stride: Image pixels a feature covers in each direction.
        align_corners: False: every feature covers exactly its stride x stride pixels, also where
            the size is no multiple of the stride and the last ones reach beyond the image. True:
            the outermost features lie on the outermost pixels (ClassTrans).
    """
    if stride == 1:
        return maps[..., : size[0], : size[1]]
    covered = (maps.shape[-2] * stride, maps.shape[-1] * stride)
    large = enlarged(maps, size if align_corners else covered, align_corners)
    return large[..., : size[0], : size[1]]


def enlarged(maps: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Bring ``maps`` ``[K, h, w]`` or ``[B, K, h, w]`` to ``size``, bilinearly.

    Args:
        maps: Of an area.
        size: Height and width of the same area.
        align_corners: Whether the outermost places lie on each other.
    """
    if tuple(maps.shape[-2:]) == size:
        return maps
    batch = maps if maps.ndim == 4 else maps.unsqueeze(0)
    large = F.interpolate(batch, size=size, mode="bilinear", align_corners=align_corners)
    return large if maps.ndim == 4 else large[0]
