"""Joint self-training: confident pixels of all queries become support.

A protocol of its own: the head that maps one query has seen all the others. Results of it must
not be mixed with those of queries that are adapted to one by one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.ranges import check_range

Refit = Callable[[list[Tensor], list[Tensor]], None]
"""Takes further features ``[C, 1, n]`` and labels ``[1, n]`` into the support and fits anew."""


@dataclass(frozen=True)
class LabelledPixels:
    """Some pixels of a query with the labels that the map gives them.

    Args:
        features: ``[C, 1, n]``, as a tile of one row.
        labels: ``[1, n]``.
    """

    features: Tensor
    labels: Tensor


class JointSelfTraining:
    """Rounds of: map all queries, take their confident pixels as support, fit again.

    Args:
        rounds: Number of rounds.
        confidence: Probability from which a pixel is taken.
        pixels: Most pixels of a class from one query, so that large classes do not drown the rest.
        seed: Of the choice among them.

    Raises:
        ConfigError: a setting out of its range.
    """

    def __init__(
        self, rounds: int = 2, confidence: float = 0.9, pixels: int = 500, seed: int = 0
    ) -> None:
        check_range("adaptation.joint.rounds", rounds, whole=True, at_least=1)
        check_range("adaptation.joint.confidence", confidence, above=0, at_most=1)
        check_range("adaptation.joint.pixels", pixels, whole=True, at_least=1)
        check_range("adaptation.joint.seed", seed, whole=True, at_least=0)
        self.rounds = rounds
        self.confidence = confidence
        self.pixels = pixels
        self.seed = seed

    def run(
        self,
        queries: Callable[[], Iterable[tuple[Tensor, Tensor]]],
        adapt: Callable[[Tensor, Tensor], AdaptedHead],
        refit: Refit,
    ) -> None:
        """Go through the rounds.

        Args:
            queries: Features ``[C, h, w]`` and valid pixels ``[h, w]`` of each query, anew each
                time it is called.
            adapt: The method on one query.
            refit: Fits the method to the support and what it is given.
        """
        for number in range(self.rounds):
            generator = torch.Generator().manual_seed(self.seed + number)
            taken = [
                self.confident(adapt(features, valid), features, valid, generator)
                for features, valid in queries()
            ]
            kept = [pixels for pixels in taken if pixels.labels.numel()]
            refit([pixels.features for pixels in kept], [pixels.labels for pixels in kept])

    @torch.no_grad()
    def confident(
        self, head: AdaptedHead, features: Tensor, valid: Tensor, generator: torch.Generator
    ) -> LabelledPixels:
        """Pixels that the head is sure of, up to ``pixels`` of each class."""
        largest, labels = head.logits(features).softmax(dim=0).flatten(1).max(dim=0)
        sure = (largest >= self.confidence) & valid.flatten().to(largest.device)
        if head.diverged:  # it is sure of anything
            sure = torch.zeros_like(sure)
        chosen = []
        for label in labels[sure].unique().tolist():
            members = (sure & (labels == label)).nonzero()[:, 0]
            order = torch.randperm(len(members), generator=generator)[: self.pixels]
            chosen.append(members[order.to(members.device)])
        index = torch.cat(chosen) if chosen else labels.new_zeros(0)
        return LabelledPixels(
            features.flatten(1)[:, index].unsqueeze(1), labels[index].unsqueeze(0)
        )
