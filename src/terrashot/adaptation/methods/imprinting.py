"""Imprinting: the mean feature of a novel class becomes its classifier."""

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.closed_form import ClosedFormMethod
from terrashot.adaptation.methods.start import novel_bank
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import standardised

_SAMPLE = 200_000
"""Pixels of a kind that a threshold is looked for among; more change it by nothing."""


class Imprinting(ClosedFormMethod):
    """Novel weights are class means at the length of the base weights; thresholds by the support.

    Source: Qi, Brown and Lowe, "Low-Shot Learning with Imprinted Weights", CVPR 2018. Means are
    taken of standardised features, where what all classes share has gone. The bias of a class is
    the one that, in the tiles labelled for it, finds as many of its pixels as it leaves others
    alone (equal weight for both).

    Args:
        name: For tables.
        parts: See ``ClosedFormMethod``.
    """

    def __init__(self, name: str = "imprinting", **parts: object) -> None:
        super().__init__(name, **parts)

    def head(self, snapshot: LinearHead, support: SupportPixels) -> LinearHead:
        """Prototypes and thresholds."""
        scale = standardised(support)
        assert scale.mean is not None
        base_weight, _ = scale.from_raw(snapshot.weight, snapshot.bias)
        length = torch.linalg.vector_norm(base_weight, dim=1).mean()
        means = (novel_bank(support).means - scale.mean) * scale.factor
        directions = means / torch.linalg.vector_norm(means, dim=1, keepdim=True).clamp(min=1e-12)
        weight, bias = scale.to_raw(
            length * directions, torch.zeros_like(length).expand(len(means))
        )
        bias = bias + self._thresholds(weight, bias, snapshot, support)
        return LinearHead(torch.cat([snapshot.weight, weight]), torch.cat([snapshot.bias, bias]))

    def _thresholds(
        self, weight: Tensor, bias: Tensor, snapshot: LinearHead, support: SupportPixels
    ) -> Tensor:
        """What to add to each novel logit ``[N]``."""
        found = []
        for index in range(support.num_base, support.num_classes):
            own: list[Tensor] = []
            other: list[Tensor] = []
            for block in support.blocks:
                if block.label == index or (block.label == 0 and block.tile_class == index):
                    pixels = block.pixels.to(support.like)
                    novel = weight[index - support.num_base] @ pixels
                    novel = novel + bias[index - support.num_base]
                    frozen = snapshot.weight @ pixels + snapshot.bias.unsqueeze(1)
                    lead = frozen.amax(dim=0) - novel  # what the bias has to make up for
                    (own if block.label == index else other).append(lead)
            found.append(_best_threshold(torch.cat(own), torch.cat(other) if other else None))
        return torch.stack(found)


def _best_threshold(own: Tensor, other: Tensor | None) -> Tensor:
    """The value that most of ``own`` lies below and most of ``other`` above, in equal weight."""
    if other is None:
        return own.max()
    own, other = _thinned(own).sort().values, _thinned(other).sort().values
    candidates = torch.cat([own, other]).unique()
    below_own = torch.searchsorted(own, candidates, right=True) / len(own)
    below_other = torch.searchsorted(other, candidates, right=True) / len(other)
    best = int((below_own - below_other).argmax())
    following = candidates[min(best + 1, len(candidates) - 1)]
    return (candidates[best] + following) / 2


def _thinned(values: Tensor) -> Tensor:
    step = max(1, len(values) // _SAMPLE)
    return values[::step]
