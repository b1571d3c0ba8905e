"""A trained network with a further part in its features, which its head does not hear yet."""

from typing import Any

import torch
from torch import nn

from terrashot.errors import ConfigError
from terrashot.networks.segmenter import Segmenter

LEAST_STRIDE = 4
"""Finer decoders would spread hundreds of channels over every pixel of the image."""


def widened(
    segmenter: Segmenter,
    channels: int,
    decoder: nn.Module,
    second: nn.Module | None,
    description: dict[str, Any],
) -> Segmenter:
    """The same network with ``channels`` more behind its features.

    Its head has weights of 0 for them, so its logits are those of the network as it was trained.
    All that it is made of is shared with it.

    Args:
        segmenter: A trained network.
        channels: Of the part that is added.
        decoder: Of the network that is made.
        second: Its second encoder.
        description: What is new in its description.
    """
    head = segmenter.head
    wider = Segmenter(
        segmenter.encoder,
        decoder,
        segmenter.channels + channels,
        segmenter.stride,
        segmenter.num_classes,
        segmenter.spec,
        {**segmenter.description, **description},
        segmenter.align_corners,
        parts=(*segmenter.parts, channels),
        second=second,
    )
    wider.to(head.weight.device)
    with torch.no_grad():
        wider.head.weight.zero_()
        wider.head.weight[:, : segmenter.channels] = head.weight
        assert wider.head.bias is not None
        assert head.bias is not None
        wider.head.bias.copy_(head.bias)
    return wider.train(segmenter.training).requires_grad_(head.weight.requires_grad)


def check_coarse(segmenter: Segmenter, key: str, what: str, without: str) -> None:
    """Raise a ConfigError where a part beside the decoder's map would not fit into memory.

    Args:
        segmenter: The network.
        key: The setting that asks for the part.
        what: The part.
        without: The setting that does without it.
    """
    if segmenter.stride < LEAST_STRIDE:
        name = segmenter.description["decoder"]["name"]
        raise ConfigError(
            f"{key} puts {what} beside the decoder's map, but that of decoder={name} has stride "
            f"{segmenter.stride}, where they would take hundreds of numbers a pixel. Train stage 1 "
            f"with a decoder of stride {LEAST_STRIDE} or more (fpn, upernet, deeplabv3plus, "
            f"pspnet), or set {without}."
        )
