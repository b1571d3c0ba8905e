"""Scores of what the annotation page shows, against the truth."""

import statistics

import numpy as np
import torch

from benchmarking.annotation_page import Page
from benchmarking.truth_strokes import Truth
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import gfss_scores
from terrashot.model.model import Model
from terrashot.model.new_classes import with_novel
from terrashot.taxonomy import IGNORE

MEASURES = "weighted", "novel", "base"


class Scorer:
    """Scores maps of the page against the truth.

    Args:
        model: Knows the base classes.
        truth: The truth.
    """

    def __init__(self, model: Model, truth: Truth) -> None:
        known = model.taxonomy.names
        self.novel = [name for name in truth.names if name not in known]
        self._taxonomy = with_novel(model.taxonomy, self.novel, {})
        self._labels = truth.indices(self._taxonomy.names)

    def score(self, page: Page) -> dict[str, float]:
        """Of the whole scene, in percent."""
        ids = page.map()
        table = np.full(256, IGNORE, np.uint8)
        table[: len(page.classes)] = [self._taxonomy.names.index(name) for name in page.classes]
        labels = np.where(ids == IGNORE, IGNORE, self._labels)
        confusion = ConfusionMatrix(self._taxonomy.num_classes)
        confusion.update(*(torch.from_numpy(a.astype(np.int64)) for a in (table[ids], labels)))
        scores = gfss_scores(confusion.compute(), self._taxonomy)
        return {m: round(100 * float(getattr(scores, f"{m}_miou")), 2) for m in MEASURES}


def spread(values: list[float]) -> str:
    """Mean and standard deviation, as text."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.1f} ± {deviation:.1f}"
