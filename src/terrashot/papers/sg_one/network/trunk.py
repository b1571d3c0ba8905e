"""What SG-One asks of the network under its two branches, and any segmenter in that place."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional

from terrashot.networks.segmenter import Segmenter


class Trunk(nn.Module, ABC):
    """Images to maps that both branches read.

    Attributes:
        guidance_channels: Channels of what ``guidance_input`` gives.
        channels: Channels of what ``segmentation`` gives.
        stride: Image pixels a cell covers in each direction.
    """

    guidance_channels: int
    channels: int
    stride: int

    @property
    @abstractmethod
    def encoder(self) -> nn.Module:
        """The part that pretrained weights are for."""

    @property
    @abstractmethod
    def own_parts(self) -> list[nn.Module]:
        """All the rest, which always starts from random weights."""

    @abstractmethod
    def maps(self, image: Tensor) -> list[Tensor]:
        """Maps of images ``[B, 3, H, W]`` in 0..1, shallow ones first, each ``[B, C, h, w]``."""

    @abstractmethod
    def guidance_input(self, maps: list[Tensor]) -> Tensor:
        """What the guidance branch begins with ``[B, guidance_channels, h, w]``."""

    @abstractmethod
    def segmentation(self, maps: list[Tensor]) -> Tensor:
        """Features of the segmentation branch ``[B, channels, h, w]``."""

    @abstractmethod
    def upsample(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Maps ``[B, K, h, w]`` at the size of the image."""

    @abstractmethod
    def fit_mask(self, mask: Tensor) -> Tensor:
        """Mask ``[B, H, W]`` on the area that the maps cover."""


class DecoderTrunk(Trunk):
    """Any encoder and decoder: both branches read the decoder's features, standardised.

    Features after a ReLU all point the same way: their cosines lie close to 1 and the gate has
    little to tell classes by. So each channel is brought to mean 0 and deviation 1.

    Args:
        segmenter: Gives encoder, decoder and normalisation; its linear head is taken off.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        del segmenter.head  # the gate takes its place; it would be a parameter without gradient
        self.segmenter = segmenter
        self.standardise = nn.BatchNorm2d(segmenter.channels, affine=False)
        self.guidance_channels = self.channels = segmenter.channels
        self.stride = segmenter.stride

    @property
    def encoder(self) -> nn.Module:
        """The backbone."""
        return self.segmenter.encoder

    @property
    def own_parts(self) -> list[nn.Module]:
        """The decoder."""
        return [self.segmenter.decoder]

    def maps(self, image: Tensor) -> list[Tensor]:
        """The decoder's features alone."""
        return [self.standardise(self.segmenter.features(image))]

    def guidance_input(self, maps: list[Tensor]) -> Tensor:
        """The decoder's features."""
        return maps[-1]

    def segmentation(self, maps: list[Tensor]) -> Tensor:
        """The decoder's features."""
        return maps[-1]

    def upsample(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Bilinear; each cell covers exactly its stride x stride pixels."""
        return self.segmenter.upsample(maps, height, width)

    def fit_mask(self, mask: Tensor) -> Tensor:
        """The last cells may reach beyond the image, where the mask is empty."""
        height, width = mask.shape[1:]
        return functional.pad(mask, (0, -width % self.stride, 0, -height % self.stride))
