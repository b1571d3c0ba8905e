"""Summary numbers and class lines of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from terrashot.evaluation.scores import GfssScores, gfss_scores
from terrashot.reporting.html import formats
from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class ScoreCard:
    """One summary number: what it is, what it means, and the same before adaptation."""

    name: str
    value: str
    unit: str
    meaning: str
    before: str = ""
    change: float | None = None
    tone: str = ""


@dataclass(frozen=True)
class ClassLine:
    """One class: scores from 0 to 1 or None where absent, pixels of truth and prediction."""

    index: int
    name: str
    color: str
    role: str
    iou: float | None
    before: float | None
    labelled: int
    predicted: int

    @property
    def change(self) -> float | None:
        """IoU gained over the stage-1 head; None where either is absent."""
        if self.iou is None or self.before is None:
            return None
        return self.iou - self.before


def score_cards(
    scores: GfssScores, results: Mapping[str, Any], weights: Mapping[str, float]
) -> list[ScoreCard]:
    """The summary of a stage-2 run, the most important number first."""
    before = results.get("base_model") or {}
    base, novel = (f"{weights[key]:g}" for key in ("base_weight", "novel_weight"))
    meanings = {
        "weighted_miou": (
            "weighted mIoU",
            f"{base} x base + {novel} x novel mIoU: what methods are compared by",
            "weighted",
        ),
        "novel_miou": (
            "novel mIoU",
            "mean IoU of the classes learned from the support tiles",
            "novel",
        ),
        "base_miou": (
            "base mIoU",
            "mean IoU of the stage-1 classes: what adaptation kept of them",
            "base",
        ),
        "harmonic_miou": (
            "harmonic mIoU",
            "high only where base and novel are both high",
            "",
        ),
        "pixel_accuracy": (
            "pixel accuracy",
            "share of labelled pixels with the right class, background included",
            "",
        ),
    }
    cards = []
    for key, (name, meaning, tone) in meanings.items():
        value, old = float(getattr(scores, key)), before.get(f"test/{key}")
        change = None if old is None or math.isnan(value) else value - old
        shown = formats.percent(old) if old is not None else ""
        cards.append(ScoreCard(name, formats.percent(value), "%", meaning, shown, change, tone))
    return [*cards, *_time_card(results)]


def _time_card(results: Mapping[str, Any]) -> list[ScoreCard]:
    took, adapting = (
        results.get(key) for key in ("seconds_per_query", "adaptation_seconds_per_query")
    )
    if took is None:
        return []
    meaning = "a query tile: features, adaptation and map"
    if adapting is not None:
        meaning += f"; adaptation alone {formats.seconds(adapting)}\N{NO-BREAK SPACE}s"
    return [ScoreCard("time", formats.seconds(took), "s", meaning)]


def class_lines(
    confusion: Sequence[Sequence[int]],
    scores: GfssScores,
    results: Mapping[str, Any],
    taxonomy: Taxonomy,
) -> list[ClassLine]:
    """All classes in label order."""
    before = results.get("base_model") or {}
    counts = torch.tensor(confusion)
    return [
        ClassLine(
            index=land.index,
            name=land.name,
            color=land.color,
            role=role_of(land.index, taxonomy),
            iou=_plain(scores.iou[land.index]),
            before=before.get(f"test/iou/{land.name}"),
            labelled=int(counts[land.index].sum()),
            predicted=int(counts[:, land.index].sum()),
        )
        for land in taxonomy.classes
    ]


def role_of(index: int, taxonomy: Taxonomy) -> str:
    """``background``, ``base`` or ``novel``."""
    if index == 0:
        return "background"
    return "base" if index < taxonomy.num_base else "novel"


def run_scores(
    confusion: Sequence[Sequence[int]], taxonomy: Taxonomy, weights: Mapping[str, float]
) -> GfssScores:
    """The scores of a run's confusion matrix."""
    return gfss_scores(torch.tensor(confusion), taxonomy, **weights)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
