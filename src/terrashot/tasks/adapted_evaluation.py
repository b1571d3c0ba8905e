"""Scores of a model that was adapted once, by the same rules as those of stage 2."""

from collections.abc import Sequence

from torch import Tensor

from terrashot.adaptation.batched_head import BatchedHead
from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.data.datamodule import FewShotDataModule
from terrashot.model.adapted_model import AdaptedModel
from terrashot.tasks.novel_adaptation import NovelAdaptation
from terrashot.tasks.query_counts import QueryStore
from terrashot.tasks.query_maps import QueryMaps


class AdaptedEvaluation(NovelAdaptation):
    """Maps the query tiles with the head that the model has; nothing is learned.

    Args:
        model: The model.
        store: Where counts of finished queries are kept.
        base_weight: Weight of the base mean in the weighted mIoU.
        novel_weight: Weight of the novel mean in it.
        maps: Post-processes the maps and keeps them; None: neither.
    """

    def __init__(
        self,
        model: AdaptedModel,
        store: QueryStore,
        base_weight: float,
        novel_weight: float,
        maps: QueryMaps | None = None,
    ) -> None:
        super().__init__(
            segmenter=model.segmenter,
            method=_FixedHead(model.head),
            taxonomy=model.taxonomy,
            store=store,
            align_corners=model.align_corners,
            base_weight=base_weight,
            novel_weight=novel_weight,
            inference=model.inference,
            maps=maps,
            calibration=model.calibration,
        )
        self.model = model  # so that the head comes to the device too

    def learn(self, data: FewShotDataModule) -> None:
        """The model has learned already."""


class _FixedHead:
    """The same head for every query."""

    name = "adapted"

    def __init__(self, head: BatchedHead) -> None:
        self._head = head

    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """The support is in the head already."""

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> AdaptedHead:
        """The head."""
        return self._head.adapted

    def adapt_together(self, queries: Sequence[Query]) -> list[AdaptedHead]:
        """The head for each."""
        return [self._head.adapted] * len(queries)
