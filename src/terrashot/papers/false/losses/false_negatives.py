"""Which negatives of a contrastive batch show the same as their anchor: FALSE's coarse step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.errors import ConfigError
from terrashot.papers.false.losses.gathering import smallest
from terrashot.ranges import check_range

SCOPES = ("anchor", "batch")
DISTANCES = ("exp", "cos")


@dataclass(frozen=True)
class FalseNegativeRule:
    """A negative that the model cannot tell from the positive is taken for a false one.

    Source: FALSE, "false negative self-determination" (arXiv 2211.07928).

    Args:
        threshold: anchors whose two views are less alike than this cosine choose nothing: there,
            "as alike as the positive" would mean little.
        scope: ``anchor``: each anchor takes the negatives nearest to its own positive. ``batch``:
            one pair in the whole batch, searched above the diagonal only, as the published code
            does.
        distance: how far a negative's similarity lies from the positive's: ``exp``, of
            exp(cosine / temperature), as published, or ``cos``, of the cosines.
        top_k: negatives an anchor takes; 1 with ``scope=batch``.
        sentinel: None: what is no candidate has no distance, and of exact ties the first is taken.
            A number, 3 in the published code and for ``scope=batch`` alone: the distance of all
            that is no candidate. Where no true distance is below it, every negative below the
            diagonal is taken; of ties all are.

    Raises:
        ConfigError: an unknown word or a number out of its range.
    """

    threshold: float = 0.9
    scope: str = "anchor"
    distance: str = "exp"
    top_k: int = 1
    sentinel: float | None = None

    def __post_init__(self) -> None:
        """Check the words and ranges."""
        for key, choices in [("scope", SCOPES), ("distance", DISTANCES)]:
            if getattr(self, key) not in choices:
                raise ConfigError(
                    f"loss.{key} is '{getattr(self, key)}', but it must be {' or '.join(choices)}."
                )
        if not -1 <= self.threshold <= 1:
            raise ConfigError(
                f"loss.threshold is {self.threshold}, but it is a cosine: from -1 to 1."
            )
        if self.top_k < 1 or (self.scope == "batch" and self.top_k != 1):
            raise ConfigError(
                f"loss.top_k is {self.top_k} with loss.scope={self.scope}, but it must be at least "
                "1, and 1 where one pair of the whole batch is taken. Set loss.scope=anchor for "
                "several negatives an anchor, or loss.top_k=1."
            )
        if self.sentinel is None:
            return
        check_range("loss.sentinel", self.sentinel, above=0)
        if (self.scope, self.distance) != ("batch", "exp"):
            raise ConfigError(
                f"loss.sentinel is {self.sentinel} with loss.scope={self.scope} and "
                f"loss.distance={self.distance}, but it belongs to the published search, "
                "loss.scope=batch loss.distance=exp. Take loss=calibrated_paper, or "
                "loss.sentinel=null."
            )

    @torch.no_grad()
    def find(
        self,
        cosine: Tensor,
        positive: Tensor,
        negatives: Tensor,
        temperature: float,
        offset: int = 0,
    ) -> Tensor:
        """The negatives taken for false ones.

        Args:
            cosine: [R, C] float32, of R anchors with all C rows.
            positive: [R, 1] int64, the column of each anchor's positive.
            negatives: [R, C] bool, false for the anchor itself and for its positive.
            temperature: of the similarities exp(cosine / temperature).
            offset: the column that the first anchor stands in.

        Returns:
            [R, C] bool.
        """
        own = cosine.gather(1, positive)  # [R, 1]
        if self.sentinel is not None:
            candidates = negatives & _above(cosine, offset)
            least = _published(cosine / temperature, own / temperature, candidates, self.sentinel)
            return least & negatives & (own >= self.threshold)
        distance = self._distances(cosine, own, temperature)
        # Infinity, and not a number that a true distance can exceed: a batch of well separated
        # images has none below any fixed one.
        distance = distance.masked_fill_(~negatives, torch.inf)
        if self.scope == "anchor":
            chosen = torch.zeros_like(negatives)
            nearest = distance.topk(self.top_k, dim=1, largest=False)
            chosen.scatter_(1, nearest.indices, nearest.values < torch.inf)
        else:
            distance = distance.masked_fill_(~_above(cosine, offset), torch.inf)
            own_least = distance.min()
            least = smallest(own_least)  # on all processes, whatever this one holds
            chosen = torch.zeros_like(negatives)
            # One cell: of exact ties, which symmetric images have, the first.
            chosen.view(-1)[distance.argmin()] = (own_least == least) & (least < torch.inf)
        return chosen & (own >= self.threshold)

    def _distances(self, cosine: Tensor, own: Tensor, temperature: float) -> Tensor:
        if self.distance == "cos":
            return (cosine - own).abs()
        # The logarithm of |exp(s) - exp(p)| has the same order and cannot overflow at small
        # temperatures: max(s, p) + log(1 - exp(-|s - p|)).
        gap = (cosine - own) / temperature
        return own / temperature + gap.clamp(min=0) + torch.log(-torch.expm1(-gap.abs()))


def _published(logits: Tensor, own: Tensor, candidates: Tensor, sentinel: float) -> Tensor:
    """The cells [R, C] of the least distance, where all but candidates hold the sentinel."""
    # Double precision: the exponentials of small temperatures overflow in single.
    distance = (logits.double().exp() - own.double().exp()).abs()
    distance = distance.masked_fill_(~candidates, sentinel)
    return distance == smallest(distance.min())


def _above(cosine: Tensor, offset: int) -> Tensor:
    """The cells above the diagonal, bool [R, C]; the first anchor stands in column ``offset``."""
    columns = torch.arange(cosine.shape[1], device=cosine.device)
    return columns > offset + torch.arange(len(cosine), device=cosine.device)[:, None]
