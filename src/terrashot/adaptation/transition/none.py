"""No transition: the classifier alone."""

import torch
from torch import Tensor

from terrashot.adaptation.transition.base import Transition, empty_maps


class NoTransition(Transition):
    """Adds nothing to the classification logits."""

    def initial(
        self,
        num_base: int,
        num_classes: int,
        channels: int,
        generator: torch.Generator,
        similarity: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """No parameters."""
        return {}

    def map_rows(self, num_base: int, num_classes: int) -> dict[str, int]:
        """No maps."""
        return {}

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """A 0 that broadcasts."""
        return snapshot_scores.new_zeros(())

    def backward(
        self,
        parameters: dict[str, Tensor],
        maps: Tensor,
        snapshot_scores: Tensor,
        gradient: Tensor,
        out: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """No maps and no parameters: ``[..., 0, P]`` and nothing."""
        return empty_maps(gradient, 0, out), {}
