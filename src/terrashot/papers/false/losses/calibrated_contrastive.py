"""Contrastive loss that moves false negatives to the positive side: FALSE, and NT-Xent."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrashot.errors import ConfigError
from terrashot.papers.false.losses.false_negatives import FalseNegativeRule
from terrashot.papers.false.losses.gathering import gather_rows
from terrashot.ranges import check_range

_ALPHA = 1.0


@dataclass(frozen=True)
class ContrastiveOutcome:
    """The loss of a batch and what it was made of.

    Attributes:
        loss: mean over this process' rows, with gradient.
        rows: [R] loss of each row, without gradient, like all below.
        cosine: [R, C] of this process' rows with the rows of all processes.
        positive: [R, 1] column of each row's other view.
        selected: [R, C] bool, the negatives taken for false ones.
        turning_point: [R] alpha*, the share from which on a row pulls its false negatives nearer
            instead of pushing them away: p / (p + R), p the similarity of the positive, R the sum
            of those of the true negatives.
    """

    loss: Tensor
    rows: Tensor
    cosine: Tensor
    positive: Tensor
    selected: Tensor
    turning_point: Tensor

    def statistics(self) -> dict[str, Tensor]:
        """Numbers to log; ``false_negative_cosine`` only where there is a false negative."""
        values = {
            "positive_cosine": self.cosine.gather(1, self.positive).mean(),
            "accepted": self.selected.any(1).float().mean(),
            "alpha_star": self.turning_point.mean(),
        }
        if self.selected.any():
            values["false_negative_cosine"] = self.cosine[self.selected].mean()
        return values


class CalibratedContrastive(nn.Module):
    """NT-Xent in which a share of each false negative's similarity counts as positive.

    With S_ij = exp(z_i z_j / temperature), positive p and false negatives F of row i:
    ``l_i = -log((S_ip + alpha sum_{m in F} S_im) / sum_{k != i} S_ik)``; the loss is the mean over
    rows. The denominator is that of NT-Xent (Chen et al. 2020), and ``alpha=0`` is NT-Xent.
    Source: FALSE, "false negative confidence calibration" (arXiv 2211.07928).

    Rows are the first views of N images, then the second views of the same: row i and row
    (i + N) mod 2N are a positive pair. Negatives come from all processes. Everything is computed
    in float32, also under autocast.

    Args:
        temperature: of the similarities.
        alpha: share moved to the positive side, 0 to 1.
        threshold: see ``FalseNegativeRule``; the same for scope, distance, top_k and sentinel.
        scope: ``anchor`` or ``batch``.
        distance: ``exp`` or ``cos``.
        top_k: false negatives an anchor takes.
        warmup_epochs: epochs of plain NT-Xent, while likeness is still noise.
        sentinel: None, or 3 as published.
        confidence_weight: the published name of ``alpha``, which it takes the place of; None:
            ``alpha`` holds.

    Raises:
        ConfigError: a number out of its range, or two numbers for ``alpha``.
    """

    needs_labels = False
    """Tasks that train on labels ask for it, and refuse this loss."""

    def __init__(
        self,
        temperature: float = 0.5,
        alpha: float = _ALPHA,
        threshold: float = 0.9,
        scope: str = "anchor",
        distance: str = "exp",
        top_k: int = 1,
        warmup_epochs: int = 0,
        sentinel: float | None = None,
        confidence_weight: float | None = None,
    ) -> None:
        super().__init__()
        alpha = _one_share(alpha, confidence_weight)
        check_range("loss.temperature", temperature, above=0)
        if not 0 <= alpha <= 1:
            raise ConfigError(
                f"loss.alpha is {alpha}, but it is the share of a false negative that counts as "
                "positive: from 0 (NT-Xent) to 1."
            )
        check_range("loss.warmup_epochs", warmup_epochs, whole=True, at_least=0)
        self.temperature = temperature
        self.alpha = alpha
        self.rule = FalseNegativeRule(threshold, scope, distance, top_k, sentinel)
        self.warmup_epochs = warmup_epochs
        self.epoch = warmup_epochs

    def set_epoch(self, epoch: int) -> None:
        """Tell the loss which epoch runs (counted from 0)."""
        self.epoch = epoch

    def check_batch(self, images: int) -> None:
        """Raise a ConfigError where a batch of ``images`` over all processes is too small."""
        if images < 2:
            raise ConfigError(
                f"The batch over all processes holds {images} window, so no view has a negative to "
                "be told from. Set data.batch_size to 2 or more (contrastive pretraining likes "
                "64 and more)."
            )
        negatives = 2 * images - 2
        if self.rule.top_k > negatives:
            raise ConfigError(
                f"loss.top_k is {self.rule.top_k}, but in a batch of {images} windows over all "
                f"processes a view has {negatives} negatives. Raise data.batch_size or lower "
                "loss.top_k."
            )

    def forward(self, embeddings: Tensor) -> ContrastiveOutcome:
        """The loss of this process' rows against the rows of all processes.

        Args:
            embeddings: [2N, D], any float type and length; N the same on all processes.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            rows = unit_rows(embeddings)
            everyone = gather_rows(rows)
            return self.compare(rows, everyone.rows, everyone.offset)

    def compare(self, rows: Tensor, everyone: Tensor, offset: int) -> ContrastiveOutcome:
        """The loss of ``rows`` [2N, D] that stand at ``offset`` of ``everyone`` [C, D].

        Both of unit length, float32 or float64; nothing is gathered here.
        """
        count = len(rows)
        place = torch.arange(count, device=rows.device)
        itself = (offset + place)[:, None]
        positive = (offset + (place + count // 2) % count)[:, None]
        others = torch.ones(count, len(everyone), dtype=torch.bool, device=rows.device)
        others.scatter_(1, itself, False)
        negatives = others.scatter(1, positive, False)

        cosine = rows @ everyone.T
        similarity = cosine / self.temperature  # log S
        whole = similarity.masked_fill(~others, -torch.inf).logsumexp(1)
        numerator = own = similarity.gather(1, positive)[:, 0]
        selected = torch.zeros_like(negatives)
        if self.epoch >= self.warmup_epochs:
            selected = self.rule.find(
                cosine.detach(), positive, negatives, self.temperature, offset
            )
        if self.alpha > 0:
            # The positive is in every row, so no row is empty and no gradient is 0 / 0.
            ours = selected.scatter(1, positive, True)
            moved = similarity + math.log(self.alpha) * selected.to(similarity.dtype)
            numerator = moved.masked_fill(~ours, -torch.inf).logsumexp(1)
        losses = whole - numerator

        alone = similarity.detach().masked_fill(~negatives | selected, -torch.inf).logsumexp(1)
        return ContrastiveOutcome(
            losses.mean(),
            losses.detach(),
            cosine.detach(),
            positive,
            selected,
            torch.sigmoid(own.detach() - alone),
        )


def _one_share(alpha: float, published: float | None) -> float:
    """The share under either of its names."""
    if published is None or published == alpha:
        return alpha
    if alpha != _ALPHA:
        raise ConfigError(
            f"loss.alpha is {alpha} and loss.confidence_weight {published}, but the second is only "
            "the published name of the first. Set one of them; loss=ntxent is loss.alpha=0."
        )
    check_range("loss.confidence_weight (loss.alpha here)", published, at_least=0, at_most=1)
    return published


def unit_rows(embeddings: Tensor) -> Tensor:
    """``embeddings`` [R, D] at length 1, in float32 at least."""
    wide = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    return F.normalize(wide, dim=1, eps=1e-12)
