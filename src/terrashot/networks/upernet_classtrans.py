"""The decoder of the published ClassTrans stage 1."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_CELLS = (1, 2, 3, 6)


class UPerNetClassTrans(nn.Module):
    """UPerNet as ClassTrans was published with: 4.5 M parameters on ConvNeXt-L.

    Smaller than the UPerNet of segmentation_models_pytorch 0.6 (12 M): levels are summed, not
    concatenated, and no 3x3 convolution follows. Modules have the names of the published
    checkpoint. Source: ClassTrans (arXiv 2404.05111), its public code.

    Args:
        encoder_channels: Of the encoder's maps; the last four are read, at strides 4, 8, 16, 32.
        channels: Of the pyramid's levels and of the output.
        pooling_channels: Of each branch of the pyramid pooling.
    """

    def __init__(
        self, encoder_channels: Sequence[int], channels: int = 256, pooling_channels: int = 512
    ) -> None:
        super().__init__()
        *skips, last = encoder_channels[-4:]
        self.psp = _PyramidPooling(last, pooling_channels)
        self.psp_last_conv = _convolution(last + len(_CELLS) * pooling_channels, channels)
        self.p4 = _TopDown(skips[2], channels)
        self.p3 = _TopDown(skips[1], channels)
        self.p2 = _TopDown(skips[0], channels)
        self.conv_last = _convolution(channels, channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features ``[B, channels, H/4, W/4]``, not negative, of the encoder's maps.

        Args:
            features: Maps ``[B, C, h, w]``, finest first; each of the last four half as high and
                wide as the one before.
        """
        stride4, stride8, stride16, stride32 = features[-4:]
        p5 = self.psp_last_conv(self.psp(stride32))
        p4 = self.p4(p5, stride16)
        p3 = self.p3(p4, stride8)
        p2 = self.p2(p3, stride4)
        total = p2
        for level in (p3, p4, p5):
            total = total + _resize(level, p2)
        fused: Tensor = self.conv_last(total)
        return fused


class _PyramidPooling(nn.Module):
    """Means over 1, 2, 3 and 6 cells a side, in front of the map itself."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Pooled(in_channels, channels, cells) for cells in _CELLS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(block(x) for block in self.blocks), x], dim=1)


class _Pooled(nn.Module):
    """One branch; without a norm at one cell, where an image leaves one value a channel."""

    def __init__(self, in_channels: int, channels: int, cells: int) -> None:
        super().__init__()
        convolution = _convolution(in_channels, channels, norm=cells > 1)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(cells), convolution)

    def forward(self, x: Tensor) -> Tensor:
        return _resize(self.pool(x), x)


class _TopDown(nn.Module):
    """The level above at twice the size, plus a stage of the encoder."""

    def __init__(self, skip_channels: int, channels: int) -> None:
        super().__init__()
        self.skip_conv = _convolution(skip_channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        above = F.interpolate(x, scale_factor=2.0, mode="nearest")
        added: Tensor = above + self.skip_conv(skip)
        return added


def _convolution(in_channels: int, channels: int, norm: bool = True) -> nn.Sequential:
    """A 1x1 convolution with batch norm, or with a bias where it has none, and ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, 1, bias=not norm)]
    if norm:
        layers.append(nn.BatchNorm2d(channels))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
