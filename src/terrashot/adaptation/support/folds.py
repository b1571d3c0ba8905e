"""Which support tiles are left out together, so that each is scored by a head without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.taxonomy import IGNORE

_MOST = 5
"""Folds: each costs a head."""


@dataclass(frozen=True)
class Fold:
    """Support tiles that a head does not see, so that it can be asked about them.

    Args:
        support: The whole support.
        tiles: Numbers of the tiles.
        every: Of the pixels of each label and tile class, every so-manyth is taken.
    """

    support: SupportPixels
    tiles: list[int]
    every: int

    def rest(self) -> SupportPixels:
        """The support without the tiles, for the head; made anew each time."""
        return self.support.without(self.tiles, self.every)

    def pixels(self) -> tuple[Tensor, Tensor]:
        """Labelled pixels ``[C, n]`` of the tiles, and their labels ``[n]``."""
        return self.support.pixels_of(self.tiles, self.every)


def support_folds(support: SupportPixels, pixels: int) -> list[Fold]:
    """The folds of a support set; none where each class has a single tile.

    Args:
        support: The support.
        pixels: About so many of the labelled pixels are taken, or all where there are fewer: the
            folds' heads need not be as good as the one of all pixels.
    """
    every = max(1, -(-support.num_labelled // pixels))
    folds = left_out_folds(support.tile_counts, support.num_base, support.num_tiles)
    return [Fold(support, tiles, every) for tiles in folds]


def left_out_folds(
    tile_counts: Mapping[tuple[int, int | None], Sequence[tuple[int, int]]],
    num_base: int,
    num_tiles: int,
) -> list[list[int]]:
    """Numbers of the tiles of each fold; no tile is in two.

    A fold takes one tile of each novel class (several, where a class has more tiles than there are
    folds), so that with K tiles a class K heads are enough. No fold takes all tiles of a class:
    that of a class with a single tile is in none.

    Args:
        tile_counts: See ``SupportPixels``.
        num_base: Base classes, background included.
        num_tiles: How many tiles, from the first, were labelled by people; others are in no fold.
    """
    shown: dict[int, list[int]] = {}
    for (label, _), parts in sorted(tile_counts.items(), key=lambda item: item[0][0]):
        if num_base <= label != IGNORE:
            tiles = shown.setdefault(label, [])
            tiles += [tile for tile, _ in parts if tile < num_tiles and tile not in tiles]
    number = min(_MOST, max(map(len, shown.values()), default=0))
    fold_of: dict[int, int] = {}
    for tiles in shown.values():
        for place, tile in enumerate(tiles):
            fold_of.setdefault(tile, place % number)
    folds = []
    for fold in range(number):
        taken = {tile for tile, own in fold_of.items() if own == fold}
        for tiles in shown.values():
            if taken.issuperset(tiles):
                taken.difference_update(tiles)
        if taken:
            folds.append(sorted(taken))
    return folds
