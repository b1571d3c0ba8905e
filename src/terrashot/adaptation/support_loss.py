"""Cross entropy on the support, whose background stands for all base classes."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from terrashot.adaptation.options import AdapterOptions
from terrashot.adaptation.query_losses import EPSILON
from terrashot.adaptation.support import SupportFeatures
from terrashot.errors import ConfigError
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam import LDAM


@dataclass(frozen=True)
class SupportLoss:
    """Folded cross entropy: at label 0 the probability of all base classes together counts.

    Source: DIaM, ClassTrans. ``-(1/P) sum omega_y log(p_y + 1e-10)``.

    Args:
        counts: Pixels of each class ``[K]``; logits come sorted by label in blocks of that size.
        num_base: Base classes, background included.
        background_weight: omega of label 0; all others weigh 1.
        base_labels: ``supervise``: a base label is a label like any other. ``constant``: as
            published it adds a constant, since its own probability went into the background's.
        margins: What is taken off the label's own logit ``[K]``, or None.
        folded_margins: What is taken off the base logits at label 0 ``[num_base]``, or None.
        scale: Factor of the logits once margins act.
        margins_from: Iteration (from 0) at which the margins begin to act.
    """

    counts: list[int]
    num_base: int
    background_weight: float
    base_labels: str
    margins: Tensor | None = None
    folded_margins: Tensor | None = None
    scale: float = 1.0
    margins_from: int = 0

    def __call__(self, logits: Tensor, iteration: int) -> Tensor:
        """Full logits ``[K, P]`` of the support pixels to a scalar."""
        lowered = self.margins is not None and iteration >= self.margins_from
        total = logits.new_zeros(())
        for label, block in enumerate(logits.split(self.counts, dim=1)):
            if block.shape[1] == 0:
                continue
            if lowered:
                block = self.scale * (block - self._shift(label, logits))
            probability = self._probability(label, block)
            weight = self.background_weight if label == 0 else 1.0
            total = total - weight * (probability + EPSILON).log().sum()
        return total / logits.shape[1]

    def _probability(self, label: int, block: Tensor) -> Tensor:
        """Probability of the label ``[n]``, folded where it is background."""
        if label == 0:
            return block.softmax(dim=0)[: self.num_base].sum(dim=0)
        if label < self.num_base and self.base_labels == "constant":
            return torch.zeros_like(block[0])
        return block.softmax(dim=0)[label]

    def _shift(self, label: int, logits: Tensor) -> Tensor:
        """The margins of one label's block ``[K, 1]``."""
        shift = logits.new_zeros(len(self.counts), 1)
        if label == 0 and self.folded_margins is not None:
            shift[: self.num_base, 0] = self.folded_margins
        elif self.margins is not None:
            shift[label] = self.margins[label]
        return shift


def make_support_loss(
    loss: nn.Module | None,
    support: SupportFeatures,
    options: AdapterOptions,
    base_counts: Tensor | None = None,
) -> SupportLoss:
    """The folded form of a loss for a support set.

    Args:
        loss: CrossEntropy or a kind of LDAM, see ``check_loss``.
        support: The support pixels.
        options: Background weights and the treatment of base labels.
        base_counts: Pixels ``[num_base]`` of the training labels, where LDAM counts them.
    """
    one_shot = support.num_tiles <= support.num_novel
    plain = SupportLoss(
        counts=support.counts.tolist(),
        num_base=support.num_base,
        background_weight=(
            options.background_weight_one_shot if one_shot else options.background_weight
        ),
        base_labels=options.base_labels,
    )
    if not isinstance(loss, LDAM):
        return plain
    margins, folded = loss.support_margins(base_counts, support.counts, support.num_base)
    return replace(
        plain,
        margins=margins.to(support.pixels),
        folded_margins=folded.to(support.pixels),
        scale=loss.scale,
        margins_from=loss.start_iteration,
    )


def check_loss(loss: nn.Module | None) -> None:
    """Refuse a loss whose background cannot be folded over the base classes.

    Raises:
        ConfigError: anything but plain cross entropy and the kinds of LDAM.
    """
    if isinstance(loss, LDAM):
        return
    if isinstance(loss, CrossEntropy) and loss.label_smoothing == 0:
        return
    found = type(loss).__name__ if loss is not None else "null"
    if isinstance(loss, CrossEntropy):
        found += f" with label_smoothing={loss.label_smoothing}"
    raise ConfigError(
        f"stage 2 cannot use the loss {found}: background has to be folded over all base classes, "
        "which is defined for loss=ce (label_smoothing 0), loss=ldam and loss=ldam_paper. Choose "
        "one of these."
    )
