"""Any stage-2 method with guided novel logits."""

from typing import Any

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Method
from terrashot.adaptation.methods.wrapped import WrappedMethod
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.papers.sg_one.guidance.cosine_guidance import CosineGuidance


class GuidedHead:
    """An adapted head whose novel logits are guided.

    It is no linear head any more, so what stores heads as matrices can't store it.

    Args:
        head: What the method made.
        guidance: Fitted to the same support.
    """

    def __init__(self, head: AdaptedHead, guidance: CosineGuidance) -> None:
        self.head = head
        self._guidance = guidance

    @property
    def diverged(self) -> bool:
        """Whether the method ran away."""
        return self.head.diverged

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Features ``[C, h, w]`` to logits ``[K, h, w]``."""
        return self._guidance.apply(self.head.logits(features), features)


class GuidedMethod(WrappedMethod):
    """Fits a method as it is, then guides what it makes; the descent knows nothing of it.

    Args:
        method: The method.
        guidance: What guides its novel logits.
    """

    def __init__(self, method: Method, guidance: CosineGuidance) -> None:
        super().__init__(method)
        self.guidance = guidance
        self.name = f"{method.name}, guided"

    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """See ``Method``."""
        super().fit_support(snapshot, support, seed=seed, base_counts=base_counts)
        self.guidance.fit(support)

    def changed(self, head: AdaptedHead) -> GuidedHead:
        """The head, guided."""
        return GuidedHead(head, self.guidance)


def cosine_guided(method: Method, **options: Any) -> GuidedMethod:  # noqa: ANN401 - see CosineGuidance
    """What ``guidance=cosine`` builds: the method of a run, guided.

    Args:
        method: The method.
        options: Of ``CosineGuidance``.
    """
    return GuidedMethod(method, CosineGuidance(**options))
