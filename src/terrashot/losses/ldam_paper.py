"""The margins of ClassTrans with its typed-in pixel counts."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from terrashot.losses.ldam import LDAM
from terrashot.ranges import check_range


class PaperLDAM(LDAM):
    """LDAM as published with ClassTrans: typed-in counts, background margin on logit 0 alone.

    Source: the public code of ClassTrans; the counts belong to the test set of the OpenEarthMap
    few-shot challenge. ``n_0`` loses the novel pixels and gains those of base classes 1 and up
    before the margins are normalised over all classes. On a dataset with other numbers of classes
    the counts are taken from the labels, with a warning; the rest stays as published.

    Args:
        base_counts: Training pixels of the base classes, background first.
        base_divisor: The base counts are divided by it.
        novel_counts: Support pixels of the novel classes.
        max_margin: As in LDAM.
        scale: As in LDAM.
        start_epoch: As in LDAM.
        start_iteration: As in LDAM.
    """

    def __init__(
        self,
        base_counts: Sequence[float],
        base_divisor: float,
        novel_counts: Sequence[float],
        max_margin: float = 6.0,
        scale: float = 1.0,
        start_epoch: int = 0,
        start_iteration: int = 101,
    ) -> None:
        super().__init__(max_margin, scale, start_epoch, start_iteration)
        check_range("loss.base_divisor", base_divisor, above=0)
        for count in (*base_counts, *novel_counts):
            check_range("loss.base_counts and loss.novel_counts: a count", count, at_least=0)
        self.base_counts = [float(count) / base_divisor for count in base_counts]
        self.novel_counts = [float(count) for count in novel_counts]

    def support_margins(
        self, base_counts: Tensor | None, support_counts: Tensor, num_base: int
    ) -> tuple[Tensor, Tensor]:
        """As in LDAM; at a pixel of label 0 only logit 0 is lowered."""
        num_novel = len(support_counts) - num_base
        base = torch.tensor(self.base_counts, dtype=torch.float64)
        novel = torch.tensor(self.novel_counts, dtype=torch.float64)
        if (len(base), len(novel)) != (num_base, num_novel):
            warnings.warn(
                f"loss ldam_paper: the published pixel counts are for {len(base)} base and "
                f"{len(novel)} novel classes, this dataset has {num_base} and {num_novel}; the "
                "counts are taken from the training and support labels instead.",
                stacklevel=2,
            )
            novel = support_counts[num_base:].to("cpu", torch.float64)
            base = support_counts[:num_base].to("cpu", torch.float64)
            if base_counts is not None:
                base = base_counts.to("cpu", torch.float64)
                base = base * support_counts.sum().item() / base.sum().clamp(min=1)
        base[0] = base[0] - novel.sum() + base[1:].sum()
        margins = self.margins(torch.cat([base, novel]).clamp(min=0))
        folded = torch.zeros(num_base, dtype=torch.float64)
        folded[0] = margins[0]
        return margins.to(support_counts.device), folded.to(support_counts.device)
