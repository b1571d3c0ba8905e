"""A whole transition matrix for each pixel, of low rank in the features."""

import torch
from torch import Tensor

from terrashot.adaptation.transition.base import Transition, empty_maps
from terrashot.adaptation.transition.options import checked_std
from terrashot.errors import ConfigError


class FullTransition(Transition):
    """Transition logits ``t_k = lambda_k sum_r T_kr(x) (S_r x)``, ``T(x) = sum_j h_j(x) A_j``.

    A linear map of the features to a K x B matrix would need K B maps; here the matrices of all
    pixels are mixtures of a few trainable ones A_j ``[K, B]``, by factors ``h = Z x + z``. Each
    T(x) may be of any matrix rank, unlike that of ClassTrans. The layer scale lambda starts at 0.

    Args:
        rank: Number of matrices A_j.
        std: Standard deviation of the random start of Z and A.

    Raises:
        ConfigError: ``rank`` is no whole number from 1, or ``std`` is not above 0.
    """

    def __init__(self, rank: int = 4, std: float = 0.01) -> None:
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ConfigError(
                f"transition.rank is {rank}, but it must be a whole number from 1: the number of "
                "matrices that the transition of a pixel is mixed from."
            )
        self.rank = rank
        self.std = checked_std(std)

    def initial(
        self,
        num_base: int,
        num_classes: int,
        channels: int,
        generator: torch.Generator,
        similarity: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Random factors without bias, random matrices, layer scale 0."""

        def draw(*shape: int) -> Tensor:
            return self.std * torch.randn(shape, generator=generator, dtype=torch.float64)

        return {
            "factor_weight": draw(self.rank, channels),
            "factor_bias": torch.zeros(self.rank, dtype=torch.float64),
            "matrices": draw(self.rank, num_classes, num_base),
            "layer_scale": torch.zeros(num_classes, dtype=torch.float64),
        }

    def map_rows(self, num_base: int, num_classes: int) -> dict[str, int]:
        """One row a factor."""
        return {"factor": self.rank}

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """Transition logits ``[..., K, P]``."""
        flat = _flat(parameters["matrices"])
        return (parameters["layer_scale"].unsqueeze(-1) * flat) @ _products(maps, snapshot_scores)

    def backward(
        self,
        parameters: dict[str, Tensor],
        maps: Tensor,
        snapshot_scores: Tensor,
        gradient: Tensor,
        out: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Two products over the pixels: ``g (h s)^T`` and ``A^T lambda g``."""
        matrices = parameters["matrices"]
        scale = parameters["layer_scale"].unsqueeze(-1)  # [..., K, 1]
        flat = _flat(matrices)
        by_maps = empty_maps(gradient, maps.shape[-2], out)
        products = _products(maps, snapshot_scores)
        outer = gradient @ products.transpose(-2, -1)  # [..., K, r B]
        by_scale = (outer * flat).sum(dim=-1)
        by_matrices = (scale * outer).unflatten(-1, (matrices.shape[-3], matrices.shape[-1]))
        # The products are not needed any more: their memory takes the gradient by them.
        torch.matmul((scale * flat).transpose(-2, -1), gradient, out=products)
        by_products = products.unflatten(-2, (matrices.shape[-3], matrices.shape[-1]))
        by_products.mul_(snapshot_scores.unsqueeze(-3))
        torch.sum(by_products, dim=-2, out=by_maps)
        return by_maps, {"matrices": by_matrices.transpose(-3, -2), "layer_scale": by_scale}


def _flat(matrices: Tensor) -> Tensor:
    """``[..., r, K, B]`` to ``[..., K, r B]``."""
    return matrices.transpose(-3, -2).flatten(-2)


def _products(factors: Tensor, snapshot_scores: Tensor) -> Tensor:
    """``h_j s_r`` of each pixel, ``[..., r B, P]``."""
    return (factors.unsqueeze(-2) * snapshot_scores.unsqueeze(-3)).flatten(-3, -2)
