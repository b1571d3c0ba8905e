"""The transition of ClassTrans: a matrix of rank one for each pixel."""

import torch
from torch import Tensor


class RankOneTransition:
    """Transition logits ``t_k = lambda_k col_k(x) q(x)``, ``q = sum_r row_r(x) (S_r x)``.

    Source: ClassTrans. Its transition matrix ``T_kr = col_k row_r`` of a pixel takes the scores of
    the frozen base head to all classes; being of rank one it never has to be built. Columns
    ``col_k = u_k x + e_k``, rows ``row_r = v_r x + f_r``, layer scale lambda, 0 at the start.

    Args:
        std: Standard deviation of the random start of u and v.
    """

    def __init__(self, std: float = 0.01) -> None:
        self.std = std

    def initial(
        self, num_base: int, num_classes: int, channels: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Random maps without bias, layer scale 0."""

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

    def maps(self, parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Columns, then rows: weight ``[K + B, C]`` and bias ``[K + B]``."""
        weight = torch.cat([parameters["col_weight"], parameters["row_weight"]])
        return weight, torch.cat([parameters["col_bias"], parameters["row_bias"]])

    def logits(
        self, parameters: dict[str, Tensor], maps: Tensor, snapshot_scores: Tensor
    ) -> Tensor:
        """Transition logits ``[K, P]``."""
        columns, rows = maps.split([len(parameters["col_bias"]), len(parameters["row_bias"])])
        mixed = (rows * snapshot_scores).sum(dim=0)  # q, [P]
        return parameters["layer_scale"].unsqueeze(1) * columns * mixed
