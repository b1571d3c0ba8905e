"""The network of SG-One: trunk, guidance, gate and head."""

from typing import Any

from torch import Tensor, nn

from terrashot.papers.sg_one.network.trunk import Trunk

_HIDDEN = 128


class GuidanceHead(nn.Module):
    """A 3 x 3 convolution without activation, so that cosines use their whole range -1..1.

    Args:
        inputs: Channels that come in.
        outputs: Channels of the guidance.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.xavier_uniform_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, C, h, w]`` to guidance ``[B, outputs, h, w]``."""
        guidance: Tensor = self.convolution(maps)
        return guidance


class GatedHead(nn.Module):
    """Two logits, background and foreground, of features that a similarity map gates.

    One head serves every class: what the class is comes in through the map alone.

    Args:
        channels: Of the features.
        exit_padding: Of the last convolution. 0; with the published 1 the logits have a rim of
            bias alone and are two cells larger.
    """

    def __init__(self, channels: int, exit_padding: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, _HIDDEN, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(_HIDDEN, 2, 1, padding=exit_padding),
        )

    def forward(self, features: Tensor, similarity: Tensor) -> Tensor:
        """Features ``[B, C, h, w]`` and maps ``[B, 1, h, w]`` to logits ``[B, 2, h, w]``.

        With a padded exit the logits are ``[B, 2, h + 2, w + 2]``.
        """
        logits: Tensor = self.layers(features * similarity)
        return logits


class SGOneNetwork(nn.Module):
    """One network for support and query images: guidance features, and gated segmentation.

    Source: Zhang et al., "SG-One", 2018.

    Args:
        trunk: What both branches read.
        guidance_channels: Channels of the guidance.
        description: Plain values from which ``build_sg_one`` builds the same network;
            ``exit_padding`` is that of the head.
    """

    def __init__(self, trunk: Trunk, guidance_channels: int, description: dict[str, Any]) -> None:
        super().__init__()
        self.trunk = trunk
        self.guidance_head = GuidanceHead(trunk.guidance_channels, guidance_channels)
        self.gate = GatedHead(trunk.channels, int(description.get("exit_padding") or 0))
        self.description = description

    @property
    def stride(self) -> int:
        """Image pixels a cell of the maps covers in each direction."""
        return self.trunk.stride

    def maps(self, image: Tensor) -> list[Tensor]:
        """Maps of images ``[B, 3, H, W]`` in 0..1, for ``guidance`` and ``features``."""
        return self.trunk.maps(image)

    def guidance(self, maps: list[Tensor]) -> Tensor:
        """Guidance ``[B, Cg, h, w]``."""
        guidance: Tensor = self.guidance_head(self.trunk.guidance_input(maps))
        return guidance

    def features(self, maps: list[Tensor]) -> Tensor:
        """Features of the segmentation branch ``[B, C, h, w]``."""
        return self.trunk.segmentation(maps)

    def logits(self, features: Tensor, similarity: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits ``[B, 2, H, W]`` of features gated by similarity maps ``[B, 1, h, w]``."""
        return self.trunk.upsample(self.gate(features, similarity), *size)

    def fit_mask(self, mask: Tensor) -> Tensor:
        """Mask ``[B, H, W]`` on the area that the maps cover."""
        return self.trunk.fit_mask(mask)
