"""An adapted head as a module: many tiles at once, on any device."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.none import NoTransition

_OWN = "own_"


class BatchedHead(nn.Module):
    """The logits of an ``AdaptedHead`` for a batch, in one matrix product.

    The feature scale is folded into the weights once. The state dict holds the head as it was
    adapted, so that nothing is lost in a file.

    Args:
        head: What a method made.
    """

    weight: Tensor
    bias: Tensor
    snapshot: Tensor
    factor: Tensor
    mean: Tensor | None

    def __init__(self, head: AdaptedHead) -> None:
        super().__init__()
        self.transition = head.transition
        self._names = sorted(head.parameters)
        for name in self._names:
            self.register_buffer(_OWN + name, head.parameters[name].detach().clone())
        self.register_buffer("snapshot", head.snapshot_weight.detach().clone())
        self.register_buffer("factor", head.scale.factor.detach().clone())
        mean = head.scale.mean
        self.register_buffer("mean", None if mean is None else mean.detach().clone())
        map_weight, map_bias = head.transition.maps(head.parameters)
        own = head.parameters
        weight = torch.cat([own["base_weight"], own["novel_weight"], map_weight])
        bias = torch.cat([own["base_bias"], own["novel_bias"], map_bias])
        weight, bias = head.scale.to_raw(weight.detach(), bias.detach())
        self.num_classes = len(bias) - len(map_bias)
        # Not in the state dict: they follow from what is.
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    @property
    def adapted(self) -> AdaptedHead:
        """The head for one tile, sharing this module's tensors."""
        scale = FeatureScale(self.factor, self.mean)
        return AdaptedHead(self._own(), self.transition, self.snapshot, scale)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, C, h, w]`` to logits ``[B, K, h, w]``, of the head's dtype."""
        pixels = features.to(self.weight.dtype).flatten(2)  # [B, C, P]
        # A matrix product and no convolution: those run in TF32 on a GPU by default.
        values = torch.baddbmm(
            self.bias.view(1, -1, 1), self.weight.expand(pixels.shape[0], -1, -1), pixels
        )
        logits = values[:, : self.num_classes]
        if not isinstance(self.transition, NoTransition):
            scores = torch.matmul(self.snapshot, pixels)
            maps = values[:, self.num_classes :]
            logits = logits + self.transition.logits(self._own(), maps, scores)
        return logits.unflatten(2, features.shape[2:])

    def _own(self) -> dict[str, Tensor]:
        return {name: getattr(self, _OWN + name) for name in self._names}


def head_from_state(state: Mapping[str, Tensor], transition: Transition) -> AdaptedHead:
    """The head whose ``BatchedHead`` has that state dict.

    Raises:
        KeyError: a tensor is missing.
    """
    classifier = ["base_weight", "base_bias", "novel_weight", "novel_bias"]
    num_base, channels = state["snapshot"].shape
    num_classes = num_base + len(state[_OWN + "novel_bias"])
    start = transition.initial(num_base, num_classes, channels, torch.Generator())
    return AdaptedHead(
        parameters={name: state[_OWN + name] for name in [*classifier, *start]},
        transition=transition,
        snapshot_weight=state["snapshot"],
        scale=FeatureScale(state["factor"], state.get("mean")),
    )
