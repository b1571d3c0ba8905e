"""An adapted head as a module: many tiles at once, on any device."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.networks.upsampling import enlarged

_OWN = "own_"


class BatchedHead(nn.Module):
    """The logits of an ``AdaptedHead`` for a batch, in one matrix product.

    The feature scale is folded into the weights once. The state dict holds the head as it was
    adapted, so that nothing is lost in a file.

    Args:
        head: What a method made.
    """

    rows: Tensor
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
        # Logits, maps and, for a transition, scores of the frozen head: one product for all.
        rows, self._uses_scores = [weight], not isinstance(head.transition, NoTransition)
        self._scored = len(weight)
        if self._uses_scores:
            rows.append(head.snapshot_weight.detach())
            bias = F.pad(bias, (0, len(rows[1])))
        # Not in the state dict: they follow from what is.
        self.register_buffer("rows", torch.cat(rows), persistent=False)
        self.register_buffer("bias", bias[:, None], persistent=False)

    @property
    def adapted(self) -> AdaptedHead:
        """The head for one tile, sharing this module's tensors."""
        scale = FeatureScale(self.factor, self.mean)
        return AdaptedHead(self._own(), self.transition, self.snapshot, scale)

    def forward(self, *parts: Tensor) -> Tensor:
        """Logits ``[B, K, h, w]``, of the head's dtype.

        Args:
            parts: Features ``[B, C, h, w]``, or maps ``[B, C_i, h_i, w_i]`` that they are joined
                from, the finest first: linear maps may as well be taken of each where it is small,
                and their values joined.
        """
        channels = [part.shape[1] for part in parts]
        values = _product(self.rows[:, : channels[0]], parts[0], self.bias)
        size, done = (values.shape[2], values.shape[3]), channels[0]
        for part, count in zip(parts[1:], channels[1:], strict=True):
            values = values + enlarged(_product(self.rows[:, done : done + count], part), size)
            done += count
        logits = values[:, : self.num_classes]
        if self._uses_scores:
            maps = values[:, self.num_classes : self._scored].flatten(2)
            scores = values[:, self._scored :].flatten(2)
            added = self.transition.logits(self._own(), maps, scores)
            logits = logits + added.unflatten(2, size)
        return logits

    def _own(self) -> dict[str, Tensor]:
        return {name: getattr(self, _OWN + name) for name in self._names}


def _product(rows: Tensor, maps: Tensor, bias: Tensor | None = None) -> Tensor:
    """Rows ``[R, C]`` by maps ``[B, C, h, w]``, and a bias ``[R, 1]``: ``[B, R, h, w]``."""
    pixels = maps.to(rows.dtype).flatten(2)  # [B, C, P]
    # A matrix product and no convolution: those run in TF32 on a GPU by default.
    if bias is None:
        found = torch.matmul(rows, pixels)
    else:
        # shape[0] and not len(), which would fix the batch size of an exported program.
        found = torch.baddbmm(bias, rows.expand(pixels.shape[0], -1, -1), pixels)
    return found.unflatten(2, (maps.shape[2], maps.shape[3]))


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
