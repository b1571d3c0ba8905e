"""Batch normalisation as a part of the convolution before it, in a network that is frozen."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from terrashot.networks.segmenter import Segmenter

_SIDE = 64
_TOLERANCE = 1e-3


def fold_batch_norms(segmenter: Segmenter) -> int:
    """Let the convolutions of a frozen network do what the batch norms behind them do.

    A frozen batch norm is a factor and an offset a channel: in the weights of the convolution they
    cost nothing, while each one by itself reads and writes its maps once more. Which norm follows
    which convolution is seen in a pass; a second one shows that the features are the same, and
    where they are not (a layer that does something of its own with its weights), all is as before.

    Args:
        segmenter: Changed in place; its weights are then no longer those of its file.

    Returns:
        The number of norms that are gone.
    """
    drawn = torch.Generator().manual_seed(0)
    image = torch.rand(1, segmenter.spec.channels, _SIDE, _SIDE, generator=drawn)
    image = image.to(segmenter.mean.device)
    with torch.no_grad():
        pairs, before = _watch(segmenter, image)
        undo: list[tuple[Any, str, Any]] = []
        for conv, norm in pairs:
            _fold(segmenter, conv, norm, undo)
        after = segmenter.features(image)
    if (after - before).abs().max() <= _TOLERANCE * before.abs().max():
        return len(pairs)
    for owner, name, value in reversed(undo):
        setattr(owner, name, value)
    return 0


def _watch(
    segmenter: Segmenter, image: Tensor
) -> tuple[list[tuple[nn.Conv2d, nn.BatchNorm2d]], Tensor]:
    """Convolutions and the norms that take what they give, and the features of the image."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # the tensor too, so that its id stays its own
    calls: Counter[nn.Module] = Counter()
    found: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def note(conv: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d)
        calls[conv] += 1
        made[id(output)] = (conv, output)

    def match(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        calls[norm] += 1
        if id(inputs[0]) in made and norm.running_mean is not None and not norm.training:
            found.append((made[id(inputs[0])][0], norm))

    hooks = []
    for module in segmenter.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(note))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(match))
    try:
        features = segmenter.features(image)
    finally:
        for hook in hooks:
            hook.remove()
    return [pair for pair in found if all(calls[layer] == 1 for layer in pair)], features


def _fold(
    segmenter: Segmenter, conv: nn.Conv2d, norm: nn.BatchNorm2d, undo: list[tuple[Any, str, Any]]
) -> None:
    """Fold one norm; what was there before is noted in ``undo``."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight,
        norm.bias,
    )  # fmt: skip
    undo += [(conv, "weight", conv.weight), (conv, "bias", conv.bias)]
    conv.weight, conv.bias = weight, bias
    conv.requires_grad_(False)
    # timm's norms hold the activation behind them.
    act = getattr(norm, "act", None)
    left = (
        nn.Identity() if act is None else nn.Sequential(getattr(norm, "drop", nn.Identity()), act)
    )
    for parent in segmenter.modules():
        for name, child in list(parent.named_children()):
            if child is norm:
                undo.append((parent, name, norm))
                setattr(parent, name, left)
