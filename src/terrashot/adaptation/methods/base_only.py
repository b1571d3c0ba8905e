"""Stage 1 as it is: the lower bound of every comparison."""

import torch

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.closed_form import ClosedFormMethod
from terrashot.adaptation.support.pixels import SupportPixels


class BaseOnly(ClosedFormMethod):
    """Predicts with the frozen stage-1 head; novel classes never win a pixel.

    Args:
        name: For tables.
        parts: See ``ClosedFormMethod``.
    """

    def __init__(self, name: str = "base_only", **parts: object) -> None:
        super().__init__(name, **parts)

    def head(self, snapshot: LinearHead, support: SupportPixels) -> LinearHead:
        """The frozen head; of the support only the number of novel classes matters."""
        return frozen_head(snapshot, support.num_novel)


def frozen_head(snapshot: LinearHead, num_novel: int) -> LinearHead:
    """The stage-1 head with outputs for novel classes that never win a pixel."""
    # Far below any logit, yet finite: probabilities are exactly 0 and never nan.
    never = torch.finfo(snapshot.bias.dtype).min / 2
    weight = snapshot.weight.new_zeros(num_novel, snapshot.weight.shape[1])
    bias = snapshot.bias.new_full((num_novel,), never)
    return LinearHead(torch.cat([snapshot.weight, weight]), torch.cat([snapshot.bias, bias]))
