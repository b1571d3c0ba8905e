"""One transition matrix for all pixels."""

import torch
from torch import Tensor

from terrashot.adaptation.transition.base import Transition, empty_maps, to_novel
from terrashot.errors import ConfigError

_DIMENSION = {"rows": -1, "columns": -2}


class SharedTransition(Transition):
    """Transition logits ``t_k = lambda_k sum_r T_kr (S_r x)``, the matrix T the same everywhere.

    T is the softmax of trainable logits, so its entries are shares. Base rows start near the
    identity, the row of a novel class at its similarity to the base classes, lambda at 0.

    Args:
        normalise: ``rows``: each class takes a weighted mean of the base scores. ``columns``: each
            base score is shared out over the classes.
        smoothing: Share of each row that is spread evenly at the start; 0 would be out of reach of
            a softmax.

    Raises:
        ConfigError: an unknown ``normalise``, or ``smoothing`` not between 0 and 1.
    """

    def __init__(self, normalise: str = "rows", smoothing: float = 0.1) -> None:
        if normalise not in _DIMENSION:
            raise ConfigError(
                f"transition.normalise is '{normalise}', but it must be rows (each class takes "
                "shares of the base scores) or columns (each base score is shared out)."
            )
        if not isinstance(smoothing, int | float) or not 0 < smoothing <= 1:
            raise ConfigError(
                f"transition.smoothing is {smoothing}, but it must be above 0 and at most 1: it is "
                "the share of the starting matrix that is spread evenly."
            )
        self.normalise = normalise
        self.smoothing = float(smoothing)
        self._dim = _DIMENSION[normalise]

    def initial(
        self,
        num_base: int,
        num_classes: int,
        channels: int,
        generator: torch.Generator,
        similarity: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits of the starting matrix ``[K, B]``, layer scale 0; nothing is drawn."""
        base = torch.eye(num_base, dtype=torch.float64)
        start = torch.cat([base, to_novel(similarity, num_base, num_classes - num_base)])
        start = (1 - self.smoothing) * start + self.smoothing / num_base
        return {
            "matrix_logits": start.log(),
            "layer_scale": torch.zeros(num_classes, dtype=torch.float64),
        }

    def map_rows(self, num_base: int, num_classes: int) -> dict[str, int]:
        """No maps: the matrix does not look at the pixel."""
        return {}

    def matrix(self, parameters: dict[str, Tensor]) -> Tensor:
        """T, ``[..., K, B]``; rows or columns sum to 1."""
        return parameters["matrix_logits"].softmax(dim=self._dim)

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """Transition logits ``[..., K, P]``."""
        scaled = parameters["layer_scale"].unsqueeze(-1) * self.matrix(parameters)
        return scaled @ snapshot_scores

    def backward(
        self,
        parameters: dict[str, Tensor],
        maps: Tensor,
        snapshot_scores: Tensor,
        gradient: Tensor,
        out: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """All from one product over the pixels, ``g s^T``; no maps, so ``[..., 0, P]``."""
        matrix = self.matrix(parameters)
        outer = gradient @ snapshot_scores.transpose(-2, -1)  # [..., K, B]
        by_scale = (outer * matrix).sum(dim=-1)
        by_matrix = parameters["layer_scale"].unsqueeze(-1) * outer
        inner = (by_matrix * matrix).sum(dim=self._dim, keepdim=True)
        by_logits = matrix * (by_matrix - inner)
        return empty_maps(gradient, 0, out), {"matrix_logits": by_logits, "layer_scale": by_scale}
