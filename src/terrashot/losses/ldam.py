"""Label-distribution-aware margins (LDAM)."""

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrashot.errors import ConfigError
from terrashot.ranges import check_range
from terrashot.taxonomy import IGNORE


class LDAM(nn.Module):
    """Cross entropy in which the true class' logit is lowered by a margin; rare classes get more.

    Source: Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss",
    NeurIPS 2019; the margins ``m_k = max_margin n_k^(-1/4) / max_j n_j^(-1/4)`` as in ClassTrans.

    As a stage-1 loss it needs ``set_counts`` once before the first batch and may be told the epoch.
    In stage 2 the method asks it for ``support_margins`` and folds the background itself.

    Args:
        max_margin: Margin of the rarest class that is present.
        scale: Factor of the logits after the margin (1: none, as in ClassTrans).
        start_epoch: Stage 1: plain cross entropy before this epoch.
        start_iteration: Stage 2: plain cross entropy before this iteration (counted from 0).
        base_count_scale: Stage 2: weight of the training labels' counts beside the support's. At 1
            they are brought to the size of the support set; at 0 the support counts alone.
    """

    class_margins: Tensor | None

    def __init__(
        self,
        max_margin: float = 6.0,
        scale: float = 1.0,
        start_epoch: int = 0,
        start_iteration: int = 101,
        base_count_scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_range("loss.max_margin", max_margin, at_least=0)
        check_range("loss.scale", scale, above=0)
        check_range("loss.start_epoch", start_epoch, at_least=0)
        check_range("loss.start_iteration", start_iteration, at_least=0)
        check_range("loss.base_count_scale", base_count_scale, at_least=0)
        self.max_margin = max_margin
        self.scale = scale
        self.start_epoch = start_epoch
        self.start_iteration = start_iteration
        self.base_count_scale = base_count_scale
        self.epoch = 0
        # Follows from the data's label statistics, so it does not belong into a checkpoint.
        self.register_buffer("class_margins", None, persistent=False)

    def set_counts(self, counts: Tensor) -> None:
        """Set the margins from the pixels a class ``[K]`` of the training labels."""
        self.class_margins = self.margins(counts)

    def set_epoch(self, epoch: int) -> None:
        """Tell the loss which epoch runs (counted from 0)."""
        self.epoch = epoch

    def margins(self, counts: Tensor) -> Tensor:
        """Margins ``[K]`` for the pixels a class ``[K]``; 0 for a class without pixels.

        Raises:
            ConfigError: a negative count, or no class has pixels.
        """
        counts = counts.to(torch.float64)
        present = counts > 0
        if bool((counts < 0).any()) or not bool(present.any()):
            raise ConfigError(
                f"loss LDAM: the pixel counts are {[round(c) for c in counts.tolist()]}, but every "
                "count must be 0 or more and at least one class must have pixels. Check the label "
                "statistics of the data."
            )
        raw = torch.where(present, counts.clamp(min=1e-12) ** -0.25, torch.zeros_like(counts))
        return self.max_margin * raw / raw.max()

    def support_margins(
        self, base_counts: Tensor | None, support_counts: Tensor, num_base: int
    ) -> tuple[Tensor, Tensor]:
        """Margins of stage 2, where the logits of all base classes are folded into background.

        The margins are normalised over the classes that are labels of the support. The folded
        background counts all that is folded into it.

        Args:
            base_counts: Pixels ``[num_base]`` of the training labels, or None.
            support_counts: Pixels ``[K]`` of the support labels.
            num_base: Base classes, background included.

        Returns:
            The margin of each class as a label ``[K]`` (entry 0 unused), and what is taken off
            each base logit ``[num_base]`` at a pixel of label 0.
        """
        counts = support_counts.to(torch.float64).clone()
        if base_counts is None and self.base_count_scale:
            warnings.warn(
                "loss ldam: the pixel counts of the training labels are not known, so the margins "
                "of stage 2 follow the support labels alone (as loss.base_count_scale=0 would).",
                stacklevel=2,
            )
        if base_counts is not None:
            training = base_counts.to(counts)
            share = training / training.sum().clamp(min=1)
            counts[:num_base] += self.base_count_scale * support_counts.sum() * share
        counts[0] = counts[:num_base].sum()
        margins = self.margins(counts * (support_counts > 0))
        return margins, margins[0].expand(num_base).clone()

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits ``[B, K, H, W]`` and labels ``[B, H, W]`` to a scalar.

        Raises:
            ConfigError: ``set_counts`` was not called, or with another number of classes.
        """
        if self.epoch >= self.start_epoch:
            margins = self._margins_for(logits)
            index = target.where(target != IGNORE, torch.zeros_like(target))
            shift = margins[index].unsqueeze(1)  # [B, 1, H, W]
            logits = self.scale * logits.scatter_add(1, index.unsqueeze(1), -shift)
        total = functional.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum")
        return total / (target != IGNORE).sum().clamp(min=1)

    def _margins_for(self, logits: Tensor) -> Tensor:
        found = None if self.class_margins is None else len(self.class_margins)
        if self.class_margins is None or found != logits.shape[1]:
            raise ConfigError(
                f"loss LDAM: it has pixel counts of {found or 'no'} classes but the network has "
                f"{logits.shape[1]} outputs. Call set_counts with the pixels a class of the "
                "training labels before training."
            )
        return self.class_margins.to(logits)
