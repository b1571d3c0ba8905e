"""Rows of all processes in one matrix, with gradients; plain tensors in a run of one process."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


@dataclass(frozen=True)
class GatheredRows:
    """Rows of every process, in the order of their ranks, and where this process' own begin."""

    rows: Tensor  # [rows * processes, D]
    offset: int


def gather_rows(rows: Tensor) -> GatheredRows:
    """Gather ``rows`` [R, D] of every process; R must be the same on all of them.

    The gradient of a process' rows is the sum of what all processes ask of them. With the mean
    over processes that distributed training takes of the parameters' gradients, that is the
    gradient of the mean loss over the joined batch.
    """
    if not _several():
        return GatheredRows(rows, 0)
    return GatheredRows(_Gather.apply(rows), dist.get_rank() * len(rows))


def smallest(value: Tensor) -> Tensor:
    """The smallest of a number over all processes; without gradient."""
    if _several():
        value = value.clone()
        dist.all_reduce(value, op=dist.ReduceOp.MIN)
    return value


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class _Gather(Function):
    """torch's own differentiable gather is deprecated; its successor needs a later torch."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        ctx.count = len(rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        total = gradients[0].contiguous()
        dist.all_reduce(total)  # gloo, the backend of CPUs, has no reduce-scatter
        first = dist.get_rank() * ctx.count
        return total[first : first + ctx.count]
