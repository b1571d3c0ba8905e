"""Stage 1 as it is: the lower bound of every comparison."""

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.scaling import unscaled
from terrashot.adaptation.support import SupportPixels
from terrashot.adaptation.transition.none import NoTransition


class BaseOnly:
    """Predicts with the frozen stage-1 head; novel classes never win a pixel.

    Args:
        name: For tables.
        parts: Start, transition, loss, transduction and solver are taken and have no say, so that
            the method fits where any other does.
    """

    def __init__(self, name: str = "base_only", **parts: object) -> None:
        self.name = name
        self._head: AdaptedHead | None = None

    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """Keep the head; of the support only the number of novel classes matters."""
        head = snapshot.to(support.like)
        # Far below any logit, yet finite: probabilities are exactly 0 and never nan.
        never = torch.finfo(head.bias.dtype).min / 2
        self._head = AdaptedHead(
            parameters={
                "base_weight": head.weight,
                "base_bias": head.bias,
                "novel_weight": head.weight.new_zeros(support.num_novel, head.weight.shape[1]),
                "novel_bias": head.bias.new_full((support.num_novel,), never),
            },
            transition=NoTransition(),
            snapshot_weight=head.weight,
            scale=unscaled(head.weight),
        )

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> AdaptedHead:
        """The same head for every query."""
        if self._head is None:
            raise RuntimeError("fit_support must be called before adapt")
        return self._head
