"""What the labelled probe windows say about a contrastive encoder."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.papers.false.evaluation.embeddings import (
    accuracies,
    alignment,
    nearest_classes,
    uniformity,
)
from terrashot.papers.false.losses.calibrated_contrastive import (
    CalibratedContrastive,
    ContrastiveOutcome,
    unit_rows,
)

PROBE_METRICS = (
    "loss",
    "knn_accuracy",
    "knn_class_accuracy",
    "alignment",
    "uniformity",
    "positive_cosine",
    "alpha_star",
    "accepted",
    "false_negative_cosine",
    "false_negative_precision",
    "false_negative_chance",
)


@dataclass(frozen=True)
class ProbeRound:
    """One batch of the probe, no two windows of one tile: ``index`` [N] and its outcome."""

    index: Tensor
    outcome: ContrastiveOutcome


@dataclass(frozen=True)
class ProbeScores:
    """The numbers by name, those that do not exist left out, and the batches behind them."""

    values: dict[str, float]
    rounds: list[ProbeRound]


def score_probe(
    kept: Mapping[str, Tensor], loss: CalibratedContrastive, neighbours: int
) -> ProbeScores:
    """Score the whole probe.

    False negatives are determined as in training: in batches that hold one window of a tile.

    Args:
        kept: of all M windows: ``features`` [M, C], ``first`` and ``second`` [M, D] (embeddings of
            the two views), ``label``, ``tile``, ``round`` and ``index`` [M].
        loss: the training loss, told the epoch.
        neighbours: of the kNN probe.
    """
    label, tile = kept["label"], kept["tile"]
    values: dict[str, float] = {}
    predicted = nearest_classes(kept["features"], label, tile, neighbours)
    values["knn_accuracy"], values["knn_class_accuracy"] = accuracies(predicted, label)
    first, second = unit_rows(kept["first"]), unit_rows(kept["second"])
    values["alignment"] = alignment(first, second)
    if len(first) > 1:
        values["uniformity"] = uniformity(first)

    rounds: list[ProbeRound] = []
    sums: dict[str, list[float]] = {}
    for number in kept["round"].unique():
        rows = (kept["round"] == number).nonzero()[:, 0]
        if len(rows) < 2 or 2 * len(rows) - 2 < loss.rule.top_k:
            continue
        views = torch.cat([first[rows], second[rows]])
        outcome = loss.compare(views, views, 0)
        rounds.append(ProbeRound(kept["index"][rows], outcome))
        same = _same_class(label[rows])
        pairs = {
            "loss": outcome.rows,
            "positive_cosine": outcome.cosine.gather(1, outcome.positive)[:, 0],
            "alpha_star": outcome.turning_point,
            "accepted": outcome.selected.any(1).float(),
            "false_negative_cosine": outcome.cosine[outcome.selected],
            "false_negative_precision": same[outcome.selected],
            "false_negative_chance": same[_negatives(len(rows), same.device)],
        }
        for name, found in pairs.items():
            sums.setdefault(name, []).extend(found.double().tolist())
    values |= {name: sum(found) / len(found) for name, found in sums.items() if found}
    return ProbeScores(values, rounds)


def _same_class(label: Tensor) -> Tensor:
    both = label.repeat(2)
    return (both[:, None] == both).float()  # [2N, 2N]


def _negatives(count: int, device: torch.device) -> Tensor:
    """Every pair but a row with itself and with its other view, bool [2N, 2N]."""
    place = torch.arange(2 * count, device=device) % count
    return place[:, None] != place
