"""An average of the weights over the steps, which is validated and kept in their place."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class AveragedWeights(WeightAveraging):
    """A moving average of weights and batch norm statistics, validated and written to every file.

    A step counts ``1 - d`` and what came before ``d``, where ``d`` grows from 2/11 to ``decay``:
    ``(1 + n) / (10 + n)`` after ``n`` steps, so that the average spans about the last ninth of a
    training however short it is, and forgets the random head of the first steps. ``state_dict`` of
    a checkpoint holds the average; ``current_model_state`` of ``last.ckpt`` holds what training
    goes on from.

    Args:
        decay: The largest ``d``.
        device: Where the average is kept: where the network trains, since Lightning moves a
            network there only after the average was made.
    """

    def __init__(self, decay: float, device: torch.device) -> None:
        super().__init__(device=device, multi_avg_fn=partial(_move, decay))

    def complete(self, checkpoint: dict[str, Any]) -> None:
        """Put the average into a file of weights alone.

        Lightning asks callbacks only for files that hold the optimizer too, and ``best.ckpt``
        holds none.
        """
        if self._average_model is not None and "current_model_state" not in checkpoint:
            checkpoint["state_dict"] = self._average_model.module.state_dict()


@torch.no_grad()
def _move(decay: float, averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
    """Move averages (one device, one type) towards values, after ``steps`` earlier ones."""
    kept = min(decay, (1 + int(steps)) / (10 + int(steps)))
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, values, 1 - kept)
    else:
        torch._foreach_copy_(averages, values)  # counts of batches
