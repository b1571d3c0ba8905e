"""No transition: the classifier alone."""

import torch
from torch import Tensor


class NoTransition:
    """Adds nothing to the classification logits."""

    def initial(
        self, num_base: int, num_classes: int, channels: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """No parameters."""
        return {}

    def maps(self, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """No maps: weight ``[0, C]`` and bias ``[0]``."""
        return parameters["base_weight"][:0], parameters["base_bias"][:0]

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """A 0 that broadcasts."""
        return snapshot_scores.new_zeros(())
