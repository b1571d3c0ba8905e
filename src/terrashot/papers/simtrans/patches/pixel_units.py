"""Pixels of tiles as units: features of the frozen stage-1 network, drawn evenly over classes."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.data.support import SupportSet
from terrashot.data.tiles import TileDataset
from terrashot.errors import DataError
from terrashot.papers.simtrans.patches.vectors import VectorDataset, draw_per_class

BORDER = 8
"""Pixels from a border between labels within which a pixel's label is doubtful."""


def pixel_units(
    tiles: TileDataset,
    features: Callable[[int], Tensor],
    factor: int,
    classes: Sequence[int],
    per_class: int,
    seed: int,
) -> VectorDataset:
    """Up to ``per_class`` pixels of each class and tile, away from borders where there are such.

    Args:
        tiles: The tiles.
        features: Features ``[C, h, w]`` of a tile by its number, at native stride.
        factor: They are averaged over windows of this side first.
        classes: Class ids to draw.
        per_class: K.
        seed: Of the draw.

    Raises:
        DataError: no pixel of any of the classes.
    """
    found, labels, groups = [], [], []
    for index in range(len(tiles)):
        maps = reduce_stride(features(index), factor).cpu()
        label = tiles.mask(index)
        size = (maps.shape[1], maps.shape[2])
        generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
        chosen = _chosen(label, size, classes, per_class, generator)
        found.append(maps.flatten(1)[:, chosen].T.contiguous())
        labels.append(labels_to_size(label, size).flatten()[chosen].long())
        groups.append(torch.full((len(chosen),), index))
    result = VectorDataset(torch.cat(found), torch.cat(labels), torch.cat(groups))
    if not len(result):
        raise DataError(
            f"pixels: none of the {len(tiles)} tiles has a pixel of the class ids {list(classes)} "
            "at the stride of the features. Check the labels, or lower adaptation.feature_stride."
        )
    return result


def any_pixels(
    tiles: SupportSet,
    features: Callable[[int], Tensor],
    factor: int,
    count: int,
    seed: int,
) -> VectorDataset:
    """``count`` pixels of each support tile, whatever they show, labelled as the tile is."""
    found, labels, groups = [], [], []
    for index in range(len(tiles)):
        flat = reduce_stride(features(index), factor).cpu().flatten(1)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
        chosen = torch.randperm(flat.shape[1], generator=generator)[:count]
        found.append(flat[:, chosen].T.contiguous())
        labels.append(torch.full((len(chosen),), tiles.class_ids[index]))
        groups.append(torch.full((len(chosen),), index))
    return VectorDataset(torch.cat(found), torch.cat(labels), torch.cat(groups))


def _chosen(
    label: Tensor,
    size: tuple[int, int],
    classes: Sequence[int],
    count: int,
    generator: torch.Generator,
) -> Tensor:
    """Places of the drawn pixels in the flat feature map."""
    small = labels_to_size(label, size).flatten()
    inside = labels_to_size(_inside(label), size).flatten()
    wanted = torch.where(torch.isin(small, torch.tensor(classes)), small.long(), -1)
    for c in classes:
        if bool((inside & (wanted == c)).any()):  # a class of small objects keeps its borders
            wanted[~inside & (wanted == c)] = -1
    places = (wanted >= 0).nonzero()[:, 0]
    return places[draw_per_class(wanted[places], count, generator)]


def _inside(label: Tensor) -> Tensor:
    """Pixels around which no other label lies within ``BORDER``, bool ``[H, W]``."""
    values = label.float()[None, None]
    side = 2 * BORDER + 1
    highest = functional.max_pool2d(values, side, stride=1, padding=BORDER)
    lowest = -functional.max_pool2d(-values, side, stride=1, padding=BORDER)
    return (highest == lowest)[0, 0]
