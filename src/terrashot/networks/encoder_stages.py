"""The encoder's stages beside the decoder's map: more to tell new classes apart by."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrashot.errors import ConfigError
from terrashot.networks.features import STAGES
from terrashot.networks.segmenter import Segmenter

LEAST_STRIDE = 4
"""Finer decoders would spread hundreds of channels over every pixel of the image."""


class StagesBeside(nn.Module):
    """A decoder that gives the maps of all encoder stages beside its own.

    A decoder keeps what tells the base classes apart. What tells a new class apart may have been
    there in the encoder, whose stages nobody has asked for it. Of a plain vision transformer that
    is the map of its tokens: what a pyramid makes of them is the decoder's own.

    Args:
        decoder: Takes the encoder's maps, the image first, and returns one map.
    """

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps ``[B, C_i, h_i, w_i]`` of the stages to the decoder's and theirs.

        Finer stages are averaged to the decoder's stride; coarser ones come as they are, which
        takes a fraction of the room.
        """
        own = self.decoder(maps)
        stages = [stage for stage in maps[1:] if stage.shape[1]]
        return [own, *(_averaged(stage, own.shape[-2]) for stage in stages)]


def with_encoder_stages(segmenter: Segmenter) -> Segmenter:
    """The same network with the encoder's stages in its features.

    Its head has weights of 0 for them, so its logits are those of the network as it was trained.
    Encoder and decoder are shared with it.

    Args:
        segmenter: A trained network.

    Raises:
        ConfigError: its features are so fine that the stages would not fit into memory.
    """
    if segmenter.stride < LEAST_STRIDE:
        name = segmenter.description["decoder"]["name"]
        raise ConfigError(
            f"adaptation.features=stages puts the encoder's stages beside the decoder's map, but "
            f"that of decoder={name} has stride {segmenter.stride}, where they would take hundreds "
            f"of numbers a pixel. Train stage 1 with a decoder of stride {LEAST_STRIDE} or more "
            "(fpn, upernet, deeplabv3plus, pspnet), or set adaptation.features=decoder."
        )
    stages = tuple(c for c in segmenter.encoder.out_channels[1:] if c)
    head = segmenter.head
    wider = Segmenter(
        segmenter.encoder,
        StagesBeside(segmenter.decoder),
        segmenter.channels + sum(stages),
        segmenter.stride,
        segmenter.num_classes,
        segmenter.spec,
        {**segmenter.description, "features": STAGES},
        segmenter.align_corners,
        parts=(segmenter.channels, sum(stages)),
    )
    wider.to(head.weight.device)
    with torch.no_grad():
        wider.head.weight.zero_()
        wider.head.weight[:, : segmenter.channels] = head.weight
        assert wider.head.bias is not None
        assert head.bias is not None
        wider.head.bias.copy_(head.bias)
    return wider.train(segmenter.training).requires_grad_(head.weight.requires_grad)


def _averaged(stage: Tensor, height: int) -> Tensor:
    """Bring a stage's map to a height where it is finer; both cover the padded image."""
    factor = max(1, stage.shape[-2] // height)
    return F.avg_pool2d(stage, factor) if factor > 1 else stage
