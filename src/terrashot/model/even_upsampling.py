"""Upsampling that moves no feature: what a decoder adds up then lies at the same place anywhere."""

from segmentation_models_pytorch.decoders.fpn.decoder import Conv3x3GNReLU
from torch import Tensor, nn
from torch.nn import functional

from terrashot.model.adapted_model import AdaptedModel


class EvenConv3x3GNReLU(nn.Module):
    """The upsampling block of smp's FPN decoder, with ``align_corners=False``.

    With ``align_corners=True``, as in smp, features are stretched from one corner of the window
    to the other: by up to a quarter of a cell outwards at its borders and not at all at its
    centre, which at stride 32 is 8 pixels of the image. Two windows then disagree wherever they
    overlap, however far away their borders are. Without it every place is treated as the centre
    was in training.

    Args:
        block: the trained block, whose layers are shared.
    """

    def __init__(self, block: Conv3x3GNReLU) -> None:
        super().__init__()
        self.block = block.block

    def forward(self, x: Tensor) -> Tensor:
        """Features of ``x`` [B, C, h, w] at twice the resolution [B, D, 2h, 2w]."""
        x = self.block(x)
        return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def upsample_evenly(model: AdaptedModel) -> int:
    """Let ``model`` upsample without stretching: in its decoder and at its output.

    Args:
        model: changed in place.

    Returns:
        The number of layers that this concerns.
    """
    count = 0
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, Conv3x3GNReLU) and child.upsample:
                setattr(parent, name, EvenConv3x3GNReLU(child))
                count += 1
            elif isinstance(child, nn.Upsample) and child.align_corners:
                child.align_corners = False
                count += 1
    model.align_corners = False
    return count
