"""Joint self-training: the surest pixels of all tiles to be mapped become support.

A protocol of its own: the head that maps one query has seen all the others. Results of it must
not be mixed with those of queries that are adapted to one by one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.ranges import check_range

Refit = Callable[[list[Tensor], list[Tensor]], None]
"""Takes further features ``[C, 1, n]`` and labels ``[1, n]`` into the support and fits anew."""


@dataclass(frozen=True)
class Round:
    """What a round took.

    Args:
        shares: Of each class in what the head made of the sample ``[K]``.
        pixels: How many pixels of each class became support ``[K]``.
        stopped: The class that had vanished or run over, so that nothing was taken; None: none.
    """

    shares: Tensor
    pixels: Tensor
    stopped: int | None = None


class JointSelfTraining:
    """Rounds of: map a sample of all tiles, take the surest pixels of each class, fit again.

    Scenes differ in light, sensor and season from those of the support, and no number of support
    tiles of other scenes makes up for it; the tiles to be mapped show what they look like. Each
    class has a threshold of its own, since a head is less sure of a class that it has just
    learned, and a common threshold would starve it. Pixels that the head takes for background are
    never taken: in stage 1 novel classes were part of it. To a method with query losses the
    sample is the query, so there is one head for all tiles, whatever the method.

    A class whose share of the sample has changed by more than ``limit`` since the support alone
    spoke is running over, or vanishing: the rounds end, and the head of the last good one stays.
    What background has lost since then does not count as growth: where the first head leaves a
    novel class in the background, finding it there is what the rounds are for.

    Args:
        rounds: Number of rounds.
        share: Of the pixels that the head gives to a class, the surest ones that are taken.
        pixels: Size of the sample.
        limit: Factor by which the share of a novel class may grow (at the expense of other classes
            than background) or shrink.
        seed: Of the sample.

    Attributes:
        history: What each round took, of the last run.

    Raises:
        ConfigError: a setting out of its range.
    """

    def __init__(
        self,
        rounds: int = 4,
        share: float = 0.6,
        pixels: int = 65536,
        limit: float = 4.0,
        seed: int = 0,
    ) -> None:
        check_range("adaptation.joint.rounds", rounds, whole=True, at_least=1)
        check_range("adaptation.joint.share", share, above=0, at_most=1)
        check_range("adaptation.joint.pixels", pixels, whole=True, at_least=1)
        check_range("adaptation.joint.limit", limit, above=1)
        check_range("adaptation.joint.seed", seed, whole=True, at_least=0)
        self.rounds = rounds
        self.share = share
        self.pixels = pixels
        self.limit = limit
        self.seed = seed
        self.history: list[Round] = []

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name, plain values."""
        names = ("rounds", "share", "pixels", "limit", "seed")
        return {name: getattr(self, name) for name in names}

    @torch.no_grad()
    def run(
        self,
        sample: Tensor,
        num_base: int,
        adapt: Callable[[Tensor], AdaptedHead],
        refit: Refit,
    ) -> AdaptedHead:
        """Go through the rounds; the head of the last good one, which is for all tiles.

        Args:
            sample: Features ``[C, 1, n]`` of pixels of all tiles.
            num_base: Base classes, background included.
            adapt: The method, with a query to learn from.
            refit: Fits the method to the support and what it is given.
        """
        self.history = []
        # What the head now, and the one before it, was fitted to beside the support.
        nothing: tuple[list[Tensor], list[Tensor]] = ([], [])
        before, now = nothing, nothing
        first: Tensor | None = None
        good: AdaptedHead | None = None
        for number in count():
            head = adapt(sample)
            probabilities = head.logits(sample).flatten(1).softmax(dim=0)
            sureness, labels = probabilities.max(dim=0)
            shares = labels.bincount(minlength=len(probabilities)) / len(labels)
            first = shares if first is None else first
            runaway = _runaway(shares, first, num_base, self.limit)
            if head.diverged or runaway is not None:
                none_taken = torch.zeros(len(shares), dtype=torch.int64)
                self.history.append(Round(shares, none_taken, runaway))
                if good is None:
                    return head
                refit(*before)
                return good
            if number == self.rounds:
                return head
            good = head
            chosen = surest(sureness, labels, self.share)
            before, now = now, ([sample[..., chosen]], [labels[chosen].unsqueeze(0)])
            taken = labels[chosen].bincount(minlength=len(shares))
            self.history.append(Round(shares, taken))
            refit(*now)
        raise AssertionError  # counting has no end


def surest(sureness: Tensor, labels: Tensor, share: float) -> Tensor:
    """Indices of the surest pixels of each class, ascending; none of label 0.

    Args:
        sureness: Probability of the likeliest class ``[n]``.
        labels: That class ``[n]``.
        share: Of the pixels of each class, rounded up.
    """
    chosen = [labels.new_zeros(0)]
    for label in labels.unique().tolist():
        if label == 0:
            continue
        members = (labels == label).nonzero()[:, 0]
        count = math.ceil(share * len(members))
        # Stable, so that equally sure pixels come in the order of the sample on every machine.
        order = sureness[members].sort(descending=True, stable=True).indices
        chosen.append(members[order[:count]])
    return torch.cat(chosen).sort().values


def _runaway(shares: Tensor, first: Tensor, num_base: int, limit: float) -> int | None:
    """The first novel class whose share has grown or shrunk too far; None without one."""
    found = max(0.0, float(first[0] - shares[0]))  # in what was background
    for label in range(num_base, len(shares)):
        now, then = float(shares[label]), float(first[label])
        if now * limit < then or (then > 0 and now - found > then * limit):
            return label
    return None
