"""What the label maps of a support set hold, counted before any features are read."""

from collections.abc import Sequence

import torch
from torch import Tensor

from terrashot.taxonomy import IGNORE

TileCounts = dict[tuple[int, int | None], list[tuple[int, int]]]
"""For a label and tile class: the tiles that have such pixels, and how many each has."""


def class_counts(maps: Sequence[Tensor], num_classes: int) -> Tensor:
    """Labelled pixels of each class ``[K]``."""
    counts = torch.zeros(num_classes, dtype=torch.int64)
    for label in maps:
        valid = label[label != IGNORE]
        counts += torch.bincount(valid, minlength=num_classes).cpu()
    return counts


def only_novel(label: Tensor, num_base: int) -> int | None:
    """The one novel class in a label map ``[h, w]``; None where there are none or several."""
    found = torch.unique(label[(label >= num_base) & (label != IGNORE)])
    return int(found[0]) if len(found) == 1 else None


def counts_by_tile(
    maps: Sequence[Tensor], tile_classes: Sequence[int | None], num_classes: int
) -> TileCounts:
    """Pixels of each tile by label, then tile class; tiles of no class come last.

    Args:
        maps: Labels ``[h, w]`` a tile.
        tile_classes: The novel class each tile was labelled for; None: none or several.
        num_classes: Classes; pixels that are ignored follow after theirs.
    """
    kinds = sorted(set(tile_classes), key=lambda c: (c is None, c or 0))
    counts: TileCounts = {}
    for label in [*range(num_classes), IGNORE]:
        for kind in kinds:
            parts = [
                (tile, size)
                for tile, (m, c) in enumerate(zip(maps, tile_classes, strict=True))
                if c == kind and (size := int((m == label).sum()))
            ]
            if parts:
                counts[label, kind] = parts
    return counts
