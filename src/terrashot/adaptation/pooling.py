"""Many unlabelled tiles as one query."""

from collections.abc import Iterable

import torch
from torch import Tensor

from terrashot.errors import DataError


def pool_pixels(
    tiles: Iterable[tuple[Tensor, Tensor]], count: int, pixels: int, seed: int = 0
) -> Tensor:
    """Draw valid pixels evenly from tiles; query losses are means over pixels and lose nothing.

    Args:
        tiles: Features ``[C, h, w]`` and valid pixels ``[h, w]``, bool; read one by one.
        count: How many tiles there are.
        pixels: Most pixels in all.
        seed: Of the draw.

    Returns:
        Features ``[C, 1, n]``, as a tile of one row.

    Raises:
        DataError: no tile has a valid pixel.
    """
    generator = torch.Generator().manual_seed(seed)
    each = -(-pixels // max(1, count))
    drawn = []
    for features, valid in tiles:
        index = valid.flatten().nonzero()[:, 0]
        order = torch.randperm(len(index), generator=generator)[:each]
        drawn.append(features.flatten(1)[:, index[order.to(index.device)]])
    total = sum(part.shape[1] for part in drawn)
    if total == 0:
        raise DataError(
            "input: none of the sampled windows has a pixel with image content, so there is "
            "nothing to learn from. Check that the files are not empty (all black or nodata)."
        )
    return torch.cat(drawn, dim=1).unsqueeze(1)[..., :pixels]
