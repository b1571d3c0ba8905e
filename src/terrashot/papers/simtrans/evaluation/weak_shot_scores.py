"""Scores of a classifier that knows base and novel classes."""

import math
from collections.abc import Iterable, Sequence

from torch import Tensor


def weak_shot_scores(
    confusion: Tensor, among_novel: Tensor, novel: Sequence[int]
) -> dict[str, float]:
    """Accuracies from counts ``[truth, prediction]``; what has no window is left out.

    Args:
        confusion: All classes to choose from.
        among_novel: Novel windows, with the novel classes alone to choose from.
        novel: Rows of the novel classes.

    Returns:
        ``novel_accuracy`` and ``novel_macro_f1`` among novel classes; with base classes in the
        counts also ``generalized_accuracy`` (all windows, all classes), ``base_accuracy`` and
        ``generalized_novel_accuracy`` (means over classes, all classes to choose from) and their
        ``harmonic_accuracy``.
    """
    own = among_novel.double()
    found = {}
    if float(own.sum()) > 0:
        found["novel_accuracy"] = float(own.diag().sum() / own.sum())
        found["novel_macro_f1"] = _mean(_f1(own, i) for i in novel)
    counts = confusion.double()
    base = [i for i in range(len(counts)) if i not in set(novel)]
    if base and float(counts.sum()) > 0:
        found["generalized_accuracy"] = float(counts.diag().sum() / counts.sum())
        base_mean, novel_mean = (_mean(_recall(counts, i) for i in part) for part in (base, novel))
        found["base_accuracy"], found["generalized_novel_accuracy"] = base_mean, novel_mean
        total = base_mean + novel_mean
        found["harmonic_accuracy"] = 2 * base_mean * novel_mean / total if total > 0 else 0.0
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _f1(counts: Tensor, row: int) -> float:
    total = float(counts[row].sum() + counts[:, row].sum())
    if not float(counts[row].sum()):
        return math.nan
    return 2 * float(counts[row, row]) / total


def _recall(counts: Tensor, row: int) -> float:
    total = float(counts[row].sum())
    return float(counts[row, row]) / total if total else math.nan


def _mean(values: Iterable[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan
