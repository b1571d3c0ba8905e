"""Any stage-2 method on data whose classes are complete: no pixel is background."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Method, Query
from terrashot.adaptation.support.pixels import SupportPixels

NEVER = -1e4
"""A logit beside which all others win; finite, so that files and other programs can hold it."""


class CompleteMethod:
    """The heads of a method, background ruled out.

    In stage 1 the pixels of novel classes are background, and a frozen head keeps saying so. Where
    every pixel is of a base or a novel class that word is known to be wrong. The descent is not
    told: it needs background as the place where novel classes come from.

    Args:
        method: The method.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self.name = method.name

    def __copy__(self) -> "CompleteMethod":
        """Another one, which may be fitted to something else."""
        return CompleteMethod(copy(self.method))

    @property
    def similarity(self) -> Tensor | None:
        """The base-to-novel similarity that the method started from, if any."""
        return getattr(self.method, "similarity", None)

    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """See ``Method``."""
        self.method.fit_support(snapshot, support, seed=seed, base_counts=base_counts)

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> AdaptedHead:
        """See ``Method``."""
        return _without_background(self.method.adapt(query_features, query_valid, seed=seed))

    def adapt_together(self, queries: Sequence[Query]) -> list[AdaptedHead]:
        """See ``Method``."""
        return [_without_background(head) for head in self.method.adapt_together(queries)]


def _without_background(head: AdaptedHead) -> AdaptedHead:
    """The head, its logit of label 0 below all others."""
    bias = head.parameters["base_bias"]
    ruled_out = torch.cat([bias.new_full((1,), NEVER), bias[1:]])
    return replace(head, parameters={**head.parameters, "base_bias": ruled_out})
