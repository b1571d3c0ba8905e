"""The published trunk of SG-One: VGG16 at stride 8."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrashot.papers.sg_one.network.trunk import Trunk

# Convolutions of each block, and the stride of the pooling behind it.
_BLOCKS = [([64, 64], 2), ([128, 128], 2), ([256] * 3, 2), ([512] * 3, 1), ([512] * 3, 1)]
_SIDE = 128


class _VGG16(nn.Module):
    """Layers under the names that published weights have, as the encoders of timm hold theirs."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.model = _Features(layers)


class _Features(nn.Module):
    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)


class VGG16Trunk(Trunk):
    """VGG16 without batch norm, and the segmentation branch over its last three blocks.

    Source: the code of Zhang et al., "SG-One", 2018. Pools have 3 x 3 windows and padding 1, the
    last two stride 1, so that the maps have stride 8; nothing is dilated. Convolutions stand at
    the places they have in torchvision's and timm's VGG16, so published weights go in by name.

    Args:
        mean: Channel means of the images in 0..1.
        std: Channel standard deviations of the images in 0..1.
    """

    mean: Tensor
    std: Tensor
    guidance_channels = 512
    channels = _SIDE
    stride = 8

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        ends, width = [], 3
        for convolutions, stride in _BLOCKS:
            for channels in convolutions:
                layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU(inplace=True)]
                width = channels
            layers.append(nn.MaxPool2d(3, stride=stride, padding=1))
            ends.append(len(layers))
        self._ends = ends
        self.vgg16 = _VGG16(layers)
        self.side3 = nn.Conv2d(256, _SIDE, 3, padding=1)
        self.side4 = nn.Conv2d(_SIDE + 512, _SIDE, 3, padding=1)
        self.side5 = nn.Conv2d(_SIDE + 512, _SIDE, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    @property
    def encoder(self) -> nn.Module:
        """The 13 convolutions."""
        return self.vgg16

    @property
    def own_parts(self) -> list[nn.Module]:
        """The segmentation branch."""
        return [self.side3, self.side4, self.side5]

    def maps(self, image: Tensor) -> list[Tensor]:
        """Outputs of blocks 3, 4 and 5: 256, 512 and 512 channels."""
        x = (image - self.mean) / self.std
        found, begin = [], 0
        for end in self._ends:
            x = self.vgg16.model.features[begin:end](x)
            found.append(x)
            begin = end
        return found[2:]

    def guidance_input(self, maps: list[Tensor]) -> Tensor:
        """Block 5."""
        return maps[-1]

    def segmentation(self, maps: list[Tensor]) -> Tensor:
        """The three side convolutions; no ReLU behind the last."""
        third, fourth, fifth = maps
        side = functional.relu(self.side3(third))
        side = functional.relu(self.side4(torch.cat([side, fourth], dim=1)))
        return self.side5(torch.cat([side, fifth], dim=1))

    def upsample(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Bilinear, stretched over the image, as published (corners not aligned)."""
        return functional.interpolate(
            maps, size=(height, width), mode="bilinear", align_corners=False
        )

    def fit_mask(self, mask: Tensor) -> Tensor:
        """The maps are stretched over the image, so the mask is as it is."""
        return mask
