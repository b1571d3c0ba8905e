"""Scores of few-shot episodes: binary IoU by class, its mean, and foreground-background IoU."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.taxonomy import IGNORE, LandClass


@dataclass(frozen=True)
class EpisodeScores:
    """IoU from 0 to 1 over a list of episodes.

    Args:
        iou: By class name, foreground alone; nan for a class without an episode.
        miou: Mean over the classes that have episodes.
        fb_iou: Mean of foreground and background IoU, all classes joined.
    """

    iou: dict[str, float]
    miou: float
    fb_iou: float

    def as_metrics(self, prefix: str) -> dict[str, float]:
        """Name the scores ``prefix_miou``, ``prefix_fb_iou`` and ``prefix_iou/<class>``."""
        classes = {f"{prefix}_iou/{name}": value for name, value in self.iou.items()}
        return {f"{prefix}_miou": self.miou, f"{prefix}_fb_iou": self.fb_iou, **classes}


def binary_counts(prediction: Tensor, target: Tensor) -> Tensor:
    """Pixels by truth and prediction ``[2, 2]``, int64.

    Args:
        prediction: Foreground ``[...]``, bool.
        target: 1 foreground, 0 background, ``IGNORE`` not counted; the same shape.
    """
    counted = target != IGNORE
    cells = 2 * target[counted].long() + prediction[counted].long()
    return torch.bincount(cells, minlength=4).reshape(2, 2)


def episode_scores(counts: Tensor, classes: tuple[LandClass, ...]) -> EpisodeScores:
    """Scores from the counts of all episodes.

    Source: the protocol of Shaban et al., "One-Shot Learning for Semantic Segmentation", 2017:
    counts are summed over episodes before they are divided.

    Args:
        counts: Pixels ``[classes, 2, 2]``, rows the truth, columns the prediction.
        classes: Their names, in the same order.
    """
    values = counts.detach().cpu().to(torch.float64)
    iou = {
        land.name: _iou(values[i], 1) if values[i].sum() else math.nan
        for i, land in enumerate(classes)
    }
    present = [value for value in iou.values() if not math.isnan(value)]
    joined = values.sum(dim=0)
    return EpisodeScores(
        iou=iou,
        miou=sum(present) / len(present) if present else math.nan,
        fb_iou=(_iou(joined, 0) + _iou(joined, 1)) / 2 if present else math.nan,
    )


def _iou(counts: Tensor, side: int) -> float:
    union = counts[side].sum() + counts[:, side].sum() - counts[side, side]
    return float(counts[side, side] / union.clamp(min=1))
