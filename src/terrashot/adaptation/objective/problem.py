"""What all queries of an adaptation share: scored support pixels, and objectives made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.objective.engine import AnalyticObjective
from terrashot.adaptation.objective.parameters import ParameterLayout
from terrashot.adaptation.objective.query_pass import QueryBlock, QueryPass
from terrashot.adaptation.objective.support_loss import EPSILON, SupportLoss
from terrashot.adaptation.objective.support_pass import LabelledBlock, ScoredBlock, SupportPass
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.objective.workers import worker_pool
from terrashot.adaptation.support.blocks import block_lengths
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.support.subset import thinned
from terrashot.adaptation.transition.base import Transition


@dataclass(frozen=True)
class QueryPixels:
    """One query for the adaptation.

    Args:
        pixels: Features ``[C, P]``.
        weights: How much each counts ``[P]``; brought to sum 1 here, where any is valid.
    """

    pixels: Tensor
    weights: Tensor


class AdaptationProblem:
    """Support, loss and transition, with the support's scores computed once.

    Args:
        support: The support pixels.
        snapshot: The frozen head, in the dtype to compute with.
        origin: Classifier at the start for unscaled features ``[K, C]``; its first rows are the
            snapshot's.
        loss: The support loss.
        support_weight: Its weight.
        layout: Of the parameters.
        transition: What is added to the classification logits.
        transduction: The query losses.
        scale: What the parameters take the features for.
        workers: Threads; None: as many as torch uses, 1 on a GPU.
    """

    def __init__(
        self,
        support: SupportPixels,
        snapshot: LinearHead,
        origin: Tensor,
        loss: SupportLoss,
        support_weight: float,
        layout: ParameterLayout,
        transition: Transition,
        transduction: Transduction,
        scale: FeatureScale,
        workers: int | None = None,
    ) -> None:
        self.layout = layout
        self.transition = transition
        self.transduction = transduction
        self.loss = loss
        self.scale = scale
        self.storage = support.storage
        self._snapshot = snapshot
        self._origin = origin
        on_cpu = support.like.device.type == "cpu"
        self._pool = worker_pool((workers or torch.get_num_threads()) if on_cpu else 1)
        blocks = []
        for block in support.blocks:
            rule = loss.rule(block.label or 0, block.tile_class)
            if rule.weight:
                coefficient = support_weight * rule.weight / support.num_labelled
                scored = self._scored(block.pixels)
                blocks.append(LabelledBlock(scored, rule, coefficient, block.weights))
        self._blocks = blocks

    def objective(
        self,
        queries: Sequence[QueryPixels] = (),
        blocks: Sequence[LabelledBlock] | None = None,
    ) -> AnalyticObjective:
        """The objective of some queries, stacked; without any: that of the support alone.

        Args:
            queries: What the transduction looks at.
            blocks: Support pixels to use in place of all.
        """
        chosen = self._blocks if blocks is None else blocks
        return AnalyticObjective(
            support=SupportPass(
                chosen, self.loss, self.layout, self.transition, self._snapshot.bias
            ),
            queries=[self._query(query, index) for index, query in enumerate(queries)],
            layout=self.layout,
            origin=self._origin,
            scale=self.scale,
            storage=self.storage,
            pool=self._pool,
        )

    def subset(self, background: float, novel: float, seed: int) -> list[LabelledBlock]:
        """A random share of the support, see ``thinned``."""
        return thinned(self._blocks, background, novel, seed)

    def _scored(self, pixels: Tensor) -> ScoredBlock:
        # Before the copy of half-precision pixels, whose place the next block's copy then takes;
        # behind it, what stays would keep the copies' memory apart.
        scores = self._origin.new_empty(self._origin.shape[0], pixels.shape[1])
        torch.mm(self._origin, pixels.to(self._origin), out=scores)
        return ScoredBlock(pixels, scores)

    def _query(self, query: QueryPixels, index: int) -> QueryPass:
        total = query.weights.sum()
        weights = query.weights / torch.where(total > 0, total, torch.ones_like(total))
        pixels = query.pixels.to(self.storage)
        lengths = block_lengths(pixels.shape[1], pixels.shape[0], self.storage, pixels.device)
        blocks = []
        for part, part_weights in zip(
            pixels.split(lengths, dim=1), weights.split(lengths), strict=True
        ):
            scored = self._scored(part)
            logits = scored.scores[: self.layout.num_base] + self._snapshot.bias.unsqueeze(1)
            blocks.append(QueryBlock(scored, part_weights, (logits.softmax(dim=0) + EPSILON).log()))
        return QueryPass(blocks, self.transduction, self.layout, self.transition, index)
