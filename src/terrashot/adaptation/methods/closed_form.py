"""What methods share whose head follows from the support in one step, without a descent."""

from collections.abc import Sequence

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import unscaled
from terrashot.adaptation.transition.none import NoTransition
from terrashot.errors import ConfigError, DataError


class ClosedFormMethod:
    """A method with one head for all queries; subclasses say how it is made.

    Args:
        name: For tables.
        parts: Start, transition, loss, transduction and solver are taken and have no say, so that
            the method fits where any other does. Support weighting is refused.

    Raises:
        ConfigError: ``support_weighting`` is given.
    """

    def __init__(self, name: str, **parts: object) -> None:
        if parts.get("support_weighting") is not None:
            raise ConfigError(
                f"support_weighting weighs the support loss, but method={name} has none: its head "
                "follows from the support in one step. Leave support_weighting out, or choose a "
                "method that descends, for example method=terrashot."
            )
        self.name = name
        self._head: AdaptedHead | None = None

    @torch.no_grad()
    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """Make the head; see ``Method``."""
        frozen = snapshot.to(support.like)
        found = self.head(frozen, support)
        if not bool(torch.isfinite(found.weight).all() & torch.isfinite(found.bias).all()):
            raise DataError(
                f"method={self.name}: the head has values that are not finite. The features are "
                "degenerate (all alike?): check the stage-1 checkpoint."
            )
        split = [support.num_base, support.num_novel]
        base_weight, novel_weight = found.weight.split(split)
        base_bias, novel_bias = found.bias.split(split)
        self._head = AdaptedHead(
            parameters={
                "base_weight": base_weight,
                "base_bias": base_bias,
                "novel_weight": novel_weight,
                "novel_bias": novel_bias,
            },
            transition=NoTransition(),
            snapshot_weight=frozen.weight,
            scale=unscaled(frozen.weight),
        )

    def head(self, snapshot: LinearHead, support: SupportPixels) -> LinearHead:
        """Classifier of all K classes for the features as they are."""
        raise NotImplementedError

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> AdaptedHead:
        """The same head for every query."""
        if self._head is None:
            raise RuntimeError("fit_support must be called before adapt")
        return self._head

    def adapt_together(self, queries: Sequence[Query]) -> list[AdaptedHead]:
        """The same head for each."""
        return [self.adapt(query.features) for query in queries]
