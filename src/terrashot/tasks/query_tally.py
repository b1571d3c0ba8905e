"""What the queries of a process come to, and what those of all processes do together."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.evaluation.calibration import BINS
from terrashot.evaluation.scores import GfssScores, gfss_scores
from terrashot.tasks.query_counts import QueryCounts
from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class AdaptationResult:
    """Scores over all queries, of the adapted heads and of the stage-1 head on the same tiles.

    ``confusion`` and ``scores`` are of the final maps; ``rules`` holds the counts ``[1 + R, K, K]``
    of the maps before post-processing and after each of its R rules.
    ``reliability`` ``[1 or 2, bins, 3]`` holds the sums of ``evaluation.calibration.reliability``
    for the probabilities as they come, and calibrated where the model is; before any rule.
    """

    confusion: Tensor
    scores: GfssScores
    base_scores: GfssScores
    queries: int
    seconds_per_query: float
    diverged: int
    adaptation_seconds_per_query: float
    rules: Tensor
    reliability: Tensor


class QueryTally:
    """Adds up the counts of finished queries.

    Args:
        taxonomy: the classes, K of them.
        rules: rules of the post-processing, R.
        calibrated: also keep the reliability of calibrated probabilities.
        base_weight: weight of the base mean in the weighted mIoU.
        novel_weight: weight of the novel mean in it.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        rules: int,
        calibrated: bool,
        base_weight: float,
        novel_weight: float,
    ) -> None:
        self._taxonomy = taxonomy
        self._weights = {"base_weight": base_weight, "novel_weight": novel_weight}
        # Of the stage-1 head, of the adapted heads, and of their maps after each rule.
        self._counts = torch.zeros(2 + rules, taxonomy.num_classes, taxonomy.num_classes).long()
        self._reliability = torch.zeros(1 + calibrated, BINS, 3, dtype=torch.float64)
        self._totals = torch.zeros(4)  # queries, seconds, diverged, adapting

    @property
    def queries(self) -> int:
        """How many have been added."""
        return int(self._totals[0])

    def add(self, counts: QueryCounts) -> None:
        """Take in one query."""
        if counts.reliability is not None:  # one of an earlier version has none
            self._reliability += counts.reliability
        self._counts += torch.stack([counts.base_model, counts.adapted, *counts.rules])
        times = [counts.seconds, float(counts.diverged), counts.adaptation_seconds]
        self._totals += torch.tensor([1.0, *times])

    def scores(self) -> GfssScores:
        """Of the final maps so far."""
        return self._scores(self._counts[-1])

    def result(self, total: Callable[[Tensor], Tensor]) -> AdaptationResult:
        """What all processes have counted; ``total`` sums a tensor over them."""
        base_model, *rules = total(self._counts).cpu()
        queries, seconds, diverged, adapting = total(self._totals).tolist()
        each = 1 / max(1, queries)
        return AdaptationResult(
            confusion=rules[-1],
            scores=self._scores(rules[-1]),
            base_scores=self._scores(base_model),
            queries=int(queries),
            seconds_per_query=seconds * each,
            diverged=int(diverged),
            adaptation_seconds_per_query=adapting * each,
            rules=torch.stack(rules),
            # MPS has no float64.
            reliability=total(self._reliability.float()).double().cpu(),
        )

    def _scores(self, confusion: Tensor) -> GfssScores:
        return gfss_scores(confusion, self._taxonomy, **self._weights)
