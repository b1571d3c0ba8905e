"""The transition of ClassTrans: a matrix of rank one for each pixel."""

import torch
from torch import Tensor

from terrashot.adaptation.transition.base import Transition, empty_maps
from terrashot.adaptation.transition.options import checked_std


class RankOneTransition(Transition):
    """Transition logits ``t_k = lambda_k col_k(x) q(x)``, ``q = sum_r row_r(x) (S_r x)``.

    Source: ClassTrans. Its transition matrix ``T_kr = col_k row_r`` of a pixel takes the scores of
    the frozen base head to all classes; being of rank one it never has to be built. Columns
    ``col_k = u_k x + e_k``, rows ``row_r = v_r x + f_r``, layer scale lambda, 0 at the start.

    Args:
        std: Standard deviation of the random start of u and v.

    Raises:
        ConfigError: ``std`` is not above 0.
    """

    def __init__(self, std: float = 0.01) -> None:
        self.std = checked_std(std)

    def initial(
        self,
        num_base: int,
        num_classes: int,
        channels: int,
        generator: torch.Generator,
        similarity: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Random maps without bias, layer scale 0; the similarity has no say."""

        def draw(rows: int) -> Tensor:
            shape = (rows, channels)
            return self.std * torch.randn(shape, generator=generator, dtype=torch.float64)

        return {
            "row_weight": draw(num_base),
            "row_bias": torch.zeros(num_base, dtype=torch.float64),
            "col_weight": draw(num_classes),
            "col_bias": torch.zeros(num_classes, dtype=torch.float64),
            "layer_scale": torch.zeros(num_classes, dtype=torch.float64),
        }

    def map_rows(self, num_base: int, num_classes: int) -> dict[str, int]:
        """K columns, then B rows."""
        return {"col": num_classes, "row": num_base}

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """Transition logits ``[..., K, P]``."""
        scale = parameters["layer_scale"].unsqueeze(-1)  # [..., K, 1]
        columns, rows = _parts(maps, scale)
        return (columns * scale).mul_(_mixed(rows, snapshot_scores))

    def backward(
        self,
        parameters: dict[str, Tensor],
        maps: Tensor,
        snapshot_scores: Tensor,
        gradient: Tensor,
        out: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """``g lambda q`` by the columns, ``s sum_k g_k lambda_k col_k`` by the rows."""
        scale = parameters["layer_scale"].unsqueeze(-1)  # [..., K, 1]
        columns, rows = _parts(maps, scale)
        by_maps = empty_maps(gradient, maps.shape[-2], out)
        by_columns, by_rows = _parts(by_maps, scale)
        mixed = _mixed(rows, snapshot_scores)  # q, [..., 1, P]
        # g col serves two gradients, and sums over classes and pixels are products with vectors.
        product = gradient * columns  # [..., K, P]
        by_scale = (product @ mixed.transpose(-2, -1)).squeeze(-1)
        by_mixed = scale.transpose(-2, -1) @ product  # dL/dq, [..., 1, P]
        torch.mul(snapshot_scores, by_mixed, out=by_rows)
        torch.mul(gradient, scale, out=by_columns).mul_(mixed)
        return by_maps, {"layer_scale": by_scale}


def _parts(maps: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Columns ``[..., K, P]`` and rows ``[..., B, P]``, as views."""
    classes = scale.shape[-2]
    return maps[..., :classes, :], maps[..., classes:, :]


def _mixed(rows: Tensor, snapshot_scores: Tensor) -> Tensor:
    """q, ``[..., 1, P]``."""
    return (rows * snapshot_scores).sum(dim=-2, keepdim=True)
