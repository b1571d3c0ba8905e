"""What the support loss asks of the pixels of one label."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from terrashot.adaptation.methods.options import GradientOptions
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import ConfigError
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam import LDAM

EPSILON = 1e-10
"""Added inside logarithms, as in the published code."""


@dataclass(frozen=True)
class LabelRule:
    """The loss of a pixel: ``-weight log(P + 1e-10)``, P the probability of some classes together.

    A share of it may be distillation: the cross entropy to what the frozen head says of the base
    classes, in which background stands for the novel classes that the label allows, too.

    Args:
        label: The label of the pixel.
        classes: A range of classes.
        others: P is that of all other classes, not that of the range.
        weight: omega; 0 where the pixels have no say.
        margins: What is taken off the logits once margins act ``[K]``, or None.
        distillation: Share of the distillation, 0 to 1.
        background: How far background stands for a class in it, 0 to 1 ``[K]``, or None.
    """

    label: int
    classes: slice
    others: bool
    weight: float
    margins: Tensor | None = None
    distillation: float = 0.0
    background: tuple[float, ...] | None = None


@dataclass(frozen=True)
class SupportLoss:
    """Cross entropy on the support: ``-(1/P) sum omega log(probability + 1e-10)``.

    Source: DIaM and ClassTrans, which fold the background: at label 0 the probability of all base
    classes together counts. With partial labels (terrashot) it means no more than what was
    labelled, "anything but the class of this tile".

    Args:
        num_base: Base classes, background included.
        num_classes: All classes.
        background_weight: omega of label 0.
        base_weight: omega of base labels.
        novel_weights: omega of each novel class; 1 where empty.
        support_label: ``folded`` or ``partial``.
        background_distillation: Share of the distillation at label 0.
        novel_in_background: How far background stands for the novel classes in it, 0 to 1.
        base_labels: ``supervise``: a base label is a label like any other. ``constant``: as
            published it adds a constant, since its own probability went into the background's.
        margins: What is taken off the label's own logit ``[K]``, or None.
        folded_margins: What is taken off the base logits at label 0 ``[num_base]``, or None.
        scale: Factor of the logits once margins act.
        margins_from: Iteration (from 0) at which the margins begin to act.
    """

    num_base: int
    num_classes: int
    background_weight: float
    base_weight: float = 1.0
    novel_weights: tuple[float, ...] = ()
    support_label: str = "folded"
    background_distillation: float = 0.0
    novel_in_background: float = 1.0
    base_labels: str = "supervise"
    margins: Tensor | None = None
    folded_margins: Tensor | None = None
    scale: float = 1.0
    margins_from: int = 0

    def with_margins(self, iteration: int) -> bool:
        """Whether margins and scale act in that iteration."""
        return self.margins is not None and iteration >= self.margins_from

    def rule(self, label: int, tile_class: int | None) -> LabelRule:
        """What is asked of a label's pixels in tiles of a class."""
        if label == 0 and self.support_label == "partial" and tile_class is not None:
            classes, others = slice(tile_class, tile_class + 1), True
        elif label == 0:
            classes, others = slice(0, self.num_base), False
        else:
            classes, others = slice(label, label + 1), False
        weight = self.background_weight if label == 0 else self.base_weight
        if label >= self.num_base:
            weight = 1.0
        if label >= self.num_base and self.novel_weights:
            weight = self.novel_weights[label - self.num_base]
        if 0 < label < self.num_base and self.base_labels == "constant":
            weight = 0.0
        margins = self._margins(label, classes if others else None)
        if label == 0 and self.background_distillation:
            share, stands_for = self.background_distillation, [0.0] * self.num_classes
            stands_for[0] = 1.0
            if others:
                novel = self.num_classes - self.num_base
                stands_for[self.num_base :] = [self.novel_in_background] * novel
                stands_for[classes] = [0.0]
            return LabelRule(label, classes, others, weight, margins, share, tuple(stands_for))
        return LabelRule(label, classes, others, weight, margins)

    def _margins(self, label: int, ruled_out: slice | None) -> Tensor | None:
        """What is taken off the logits of the classes that a label allows ``[K]``."""
        if self.margins is None:
            return None
        shift = torch.zeros_like(self.margins)
        if label == 0 and self.folded_margins is not None:
            shift[: self.num_base] = self.folded_margins
            if ruled_out is not None:  # the other novel classes are allowed as background is
                shift[self.num_base :] = self.folded_margins[0]
                shift[ruled_out] = 0.0
        else:
            shift[label] = self.margins[label]
        return shift


def make_support_loss(
    loss: nn.Module | None,
    support: SupportPixels,
    options: GradientOptions,
    base_counts: Tensor | None = None,
) -> SupportLoss:
    """The loss of a support set.

    Args:
        loss: CrossEntropy or a kind of LDAM, see ``check_loss``.
        support: The support pixels.
        options: Background weights, and what labels mean.
        base_counts: Pixels ``[num_base]`` of the training labels, where LDAM counts them.
    """
    one_shot = support.num_tiles <= support.num_novel
    plain = SupportLoss(
        num_base=support.num_base,
        num_classes=support.num_classes,
        background_weight=(
            options.background_weight_one_shot if one_shot else options.background_weight
        ),
        support_label=options.support_label,
        background_distillation=options.background_distillation,
        novel_in_background=options.novel_in_background,
        base_labels=options.base_labels,
    )
    if options.class_balance:
        plain = _balanced(plain, support, options.class_balance)
    if not isinstance(loss, LDAM):
        return plain
    margins, folded = loss.support_margins(base_counts, support.counts, support.num_base)
    return replace(
        plain,
        margins=margins.to(support.like),
        folded_margins=folded.to(support.like),
        scale=loss.scale,
        margins_from=loss.start_iteration,
    )


def _balanced(loss: SupportLoss, support: SupportPixels, exponent: float) -> SupportLoss:
    """Weights that grow for classes with few pixels, of mean 1 over the labelled pixels."""
    weights = []
    for index in range(support.num_base, support.num_classes):
        background = sum(
            block.pixels.shape[1]
            for block in support.blocks
            if block.label == 0 and block.tile_class == index
        )
        own = int(support.counts[index])
        weights.append((max(background, own) / own) ** exponent)
    counts = support.counts.tolist()
    if loss.base_labels == "constant":  # these pixels have no say, so no part in the mean
        counts[1 : support.num_base] = [0] * (support.num_base - 1)
    total = loss.background_weight * counts[0] + sum(counts[1 : support.num_base])
    total += sum(w * n for w, n in zip(weights, counts[support.num_base :], strict=True))
    scale = sum(counts) / total
    return replace(
        loss,
        background_weight=scale * loss.background_weight,
        base_weight=scale,
        novel_weights=tuple(scale * weight for weight in weights),
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
