"""The interface of a transition."""

from typing import Protocol

import torch
from torch import Tensor


class Transition(Protocol):
    """Adds logits to the classifier's, from linear maps of the features and the snapshot's scores.

    The maps are evaluated together with the classifier in one matrix product, so a transition
    only says which maps it needs and what it makes of their values.
    """

    def initial(
        self, num_base: int, num_classes: int, channels: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Parameters before the first iteration: float64, on the CPU, drawn from ``generator``."""
        ...

    def maps(self, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Weight ``[M, C]`` and bias ``[M]`` of the linear maps."""
        ...

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """Transition logits ``[K, P]`` (or a 0 that broadcasts).

        Args:
            parameters: What stage 2 trains.
            maps: Values of the maps at the pixels ``[M, P]``.
            snapshot_scores: ``S x`` of the frozen head, without its bias ``[B, P]``.
        """
        ...
