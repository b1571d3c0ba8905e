"""Which support tiles are left out together, so that each is scored by a head without it."""

from collections.abc import Mapping, Sequence

from terrashot.taxonomy import IGNORE

_MOST = 5
"""Folds: each costs a head."""


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
