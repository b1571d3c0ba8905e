"""Cutting pixels into contiguous, cache-sized blocks."""

from itertools import pairwise

import torch
from torch import Tensor

BLOCK_BYTES = 4 << 20
"""Features a block holds on a CPU: what stays in cache between the two products of a pass."""
DEVICE_BLOCK_BYTES = 512 << 20
"""The same on a GPU, where large products are what is fast."""


class BlockWriter:
    """Fills contiguous blocks of about equal length with pixels that come in pieces."""

    def __init__(self, channels: int, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self.blocks = [
            torch.empty((channels, length), dtype=dtype, device=device)
            for length in block_lengths(size, channels, dtype, device)
        ]
        self._block = self._column = 0

    def write(self, pixels: Tensor, chosen: Tensor) -> None:
        """Take in some columns of ``[C, P]`` after what is there, a block's worth at a time."""
        while len(chosen):
            block = self.blocks[self._block]
            taken = min(block.shape[1] - self._column, len(chosen))
            piece = pixels.index_select(1, chosen[:taken])
            block[:, self._column : self._column + taken] = piece
            chosen = chosen[taken:]
            self._column += taken
            if self._column == block.shape[1]:
                self._block, self._column = self._block + 1, 0


def block_lengths(size: int, channels: int, dtype: torch.dtype, device: torch.device) -> list[int]:
    """Lengths of the blocks that ``size`` pixels are cut into: about equal, cache-sized."""
    limit = BLOCK_BYTES if device.type == "cpu" else DEVICE_BLOCK_BYTES
    largest = max(1024, limit // (channels * dtype.itemsize))
    number = max(1, round(size / largest))
    edges = [size * i // number for i in range(number + 1)]
    return [end - begin for begin, end in pairwise(edges)]
