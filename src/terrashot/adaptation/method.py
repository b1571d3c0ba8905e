"""The interface of a stage-2 method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.support.pixels import SupportPixels


@dataclass(frozen=True)
class Query:
    """One query to adapt to.

    Args:
        features: ``[C, h, w]``.
        valid: Pixels that hold image content ``[h, w]``, bool; all where None.
        seed: Tells queries apart where the method draws a start for each.
    """

    features: Tensor
    valid: Tensor | None = None
    seed: int = 0


class Method(Protocol):
    """Snapshot head + support, once; then a query in, an adapted head out."""

    name: str

    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """Take in what all queries share.

        Args:
            snapshot: The stage-1 head, ``num_base`` outputs.
            support: The support pixels.
            seed: Of everything random.
            base_counts: Pixels ``[num_base]`` of the training labels, for losses that count them.
        """
        ...

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> AdaptedHead:
        """Adapt to one query.

        Args:
            query_features: ``[C, h, w]``.
            query_valid: Pixels that hold image content ``[h, w]``, bool; all where None.
            seed: Tells queries apart where the method draws a start for each.
        """
        ...

    def adapt_together(self, queries: Sequence[Query]) -> list[AdaptedHead]:
        """Adapt to several queries at once, each by itself: the heads of ``adapt``."""
        ...
