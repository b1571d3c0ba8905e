"""Scores of generalized few-shot segmentation, from one confusion matrix."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.errors import DataError
from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class GfssScores:
    """IoU by class and the means that the field reports, all from 0 to 1.

    A class with neither a labelled nor a predicted pixel is absent: its IoU is nan and means skip
    it. A mean over nothing is nan. Background counts in ``iou`` and ``pixel_accuracy`` only.
    """

    iou: list[float]
    base_miou: float
    novel_miou: float
    weighted_miou: float
    mean_miou: float
    harmonic_miou: float
    pixel_accuracy: float

    def as_metrics(self, stage: str, taxonomy: Taxonomy) -> dict[str, float]:
        """Name the scores ``stage/base_miou``, ..., ``stage/iou/<class>``.

        Without novel classes (stage 1) the scores that need them are left out.
        """
        names = ["base_miou", "mean_miou", "pixel_accuracy"]
        if taxonomy.novel:
            names += ["novel_miou", "weighted_miou", "harmonic_miou"]
        metrics = {f"{stage}/{name}": float(getattr(self, name)) for name in names}
        for name, value in zip(taxonomy.names, self.iou, strict=True):
            metrics[f"{stage}/iou/{name}"] = value
        return metrics


def gfss_scores(
    confusion: Tensor,
    taxonomy: Taxonomy,
    base_weight: float = 0.4,
    novel_weight: float = 0.6,
) -> GfssScores:
    """Compute the scores of one confusion matrix.

    Args:
        confusion: Pixels ``[K, K]``, rows the truth, columns the prediction.
        taxonomy: Says which of the K classes are base and which are novel.
        base_weight: Share of the base mean in ``weighted_miou`` (OpenEarthMap challenge: 0.4).
        novel_weight: Share of the novel mean in ``weighted_miou`` (0.6).

    Raises:
        DataError: the matrix is not of the taxonomy's size.
    """
    size = taxonomy.num_classes
    if tuple(confusion.shape) != (size, size):
        raise DataError(
            f"evaluation: the confusion matrix has shape {tuple(confusion.shape)}, but taxonomy "
            f"'{taxonomy.name}' has {size} classes. Both must come from the same data config."
        )
    counts = confusion.detach().cpu().to(torch.float64)
    correct = counts.diagonal()
    union = counts.sum(dim=0) + counts.sum(dim=1) - correct
    iou = (correct / union).tolist()  # 0 / 0 is nan: the class is absent
    base = _mean(iou[i] for i in taxonomy.base_ids)
    novel = _mean(iou[i] for i in taxonomy.novel_ids)
    return GfssScores(
        iou=iou,
        base_miou=base,
        novel_miou=novel,
        weighted_miou=base_weight * base + novel_weight * novel,
        mean_miou=_mean(iou[1:]),
        harmonic_miou=0.0 if base + novel == 0 else 2 * base * novel / (base + novel),
        pixel_accuracy=float(correct.sum() / counts.sum()),
    )


def _mean(values: Iterable[float]) -> float:
    """Mean of the values that are not nan; nan when there are none."""
    present = [value for value in values if not math.isnan(value)]
    return sum(present) / len(present) if present else math.nan
