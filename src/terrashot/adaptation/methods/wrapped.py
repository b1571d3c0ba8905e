"""A stage-2 method whose heads are changed after it has made them."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Method, Query
from terrashot.adaptation.support.pixels import SupportPixels


class WrappedMethod:
    """Fits a method as it is; the descent knows nothing of what becomes of its heads.

    Args:
        method: The method.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self.name = method.name

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

    def changed(self, head: AdaptedHead) -> Any:  # noqa: ANN401 - can be asked for logits
        """What a head of the method becomes."""
        raise NotImplementedError

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> Any:  # noqa: ANN401 - as above
        """See ``Method``."""
        return self.changed(self.method.adapt(query_features, query_valid, seed=seed))

    def adapt_together(self, queries: Sequence[Query]) -> list[Any]:
        """See ``Method``."""
        return [self.changed(head) for head in self.method.adapt_together(queries)]
