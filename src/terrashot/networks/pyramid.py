"""A simple feature pyramid from one map, for decoders that read several (ViTDet)."""

from collections.abc import Collection

from timm.layers import LayerNorm2d
from torch import Tensor, nn


class OnPyramid(nn.Module):
    """A decoder on the maps that are made of the only one of an encoder.

    Maps of finer strides come from transposed convolutions of 2 x 2, which halve the channels,
    coarser ones from pooling, each from the encoder's map by itself, as in the simple feature
    pyramid of ViTDet (Li et al., ECCV 2022, https://arxiv.org/abs/2203.16527). They are learned
    with the decoder, at its rate.

    Args:
        pyramid: Makes the maps.
        decoder: Takes the image and the maps of strides 2, 4, ...
    """

    def __init__(self, pyramid: "SimplePyramid", decoder: nn.Module) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.decoder = decoder

    def forward(self, maps: list[Tensor]) -> Tensor:
        """What the decoder makes of the encoder's maps, the image first, its tokens last."""
        made: Tensor = self.decoder(self.pyramid(maps[0], maps[-1]))
        return made


class SimplePyramid(nn.Module):
    """Maps at strides 4, 8, ... from one map.

    Args:
        image_channels: Of the images.
        channels: Of the map.
        stride: Of the map, a power of two.
        strides: Of the levels from the second on, the finest first: 4 to 32.
        read: Places of the levels that the decoder reads, the image's being 0; the others are
            left empty, since parameters without gradient stop distributed training.

    Attributes:
        out_channels: Of the image and of the levels; 0: an empty map, as at stride 2.
    """

    def __init__(
        self,
        image_channels: int,
        channels: int,
        stride: int,
        strides: list[int],
        read: Collection[int],
    ) -> None:
        super().__init__()
        self.strides = strides
        levels = [
            _level(channels, stride, wanted) if place in read else None
            for place, wanted in enumerate(strides, start=2)
        ]
        self.levels = nn.ModuleList(nn.Identity() if level is None else level for level in levels)
        made = [
            0 if level is None else channels // max(1, stride // wanted)
            for level, wanted in zip(levels, strides, strict=True)
        ]
        self.out_channels = [image_channels, 0, *made]

    def forward(self, image: Tensor, tokens: Tensor) -> list[Tensor]:
        """The image [B, C, H, W], an empty map, and the levels of ``tokens`` [B, D, h, w]."""
        batch, _, height, width = image.shape
        levels = [
            level(tokens)
            if channels
            else tokens.new_empty(batch, 0, height // stride, width // stride)
            for level, stride, channels in zip(
                self.levels, self.strides, self.out_channels[2:], strict=True
            )
        ]
        return [image, tokens.new_empty(batch, 0, height // 2, width // 2), *levels]


def level_strides(depth: int, output_stride: int) -> list[int]:
    """Strides of the levels behind that of stride 2, for a decoder of these options."""
    return [min(2**level, output_stride) for level in range(2, depth + 1)]


def _level(channels: int, stride: int, wanted: int) -> nn.Sequential:
    """From a map to one of another stride."""
    layers: list[nn.Module] = []
    while stride > wanted:
        if layers:
            layers += [LayerNorm2d(channels), nn.GELU()]
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 2, stride=2))
        stride, channels = stride // 2, channels // 2
    if stride < wanted:
        layers.append(nn.MaxPool2d(wanted // stride))
    return nn.Sequential(*layers)
