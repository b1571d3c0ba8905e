"""Windows that show one class: clean ones of base classes, and of novel ones for scoring."""

from collections.abc import Iterable, Sequence

import numpy as np

from terrashot.data.tiles import TileDataset
from terrashot.errors import DataError
from terrashot.papers.simtrans.patches.grid import Patch, TileWindows, tile_windows
from terrashot.taxonomy import Taxonomy

DOMINANT = 0.6
"""Share of the pixels that a class must cover to be the window's class."""
LABELLED = 0.8
"""Share of a window that must be labelled with some base class."""


def base_patches(tiles: TileDataset, size: int) -> list[Patch]:
    """Windows whose labelled pixels are mostly of one base class.

    At least ``LABELLED`` of the window is labelled (background and novel pixels are not), and one
    base class covers ``DOMINANT`` of the labelled pixels; other windows are left out.
    """
    base = tiles.taxonomy.base_ids
    found = []
    for windows in tile_windows(tiles, size):
        counts = windows.counts[:, base]
        labelled = counts.sum(axis=1)
        fits = (labelled >= LABELLED * windows.area) & (
            counts.max(axis=1, initial=0) >= DOMINANT * np.maximum(labelled, 1)
        )
        for row in np.flatnonzero(fits).tolist():
            label = base[int(counts[row].argmax())]
            found.append(_patch(windows, row, label, label))
    return found


def novel_patches(tiles: TileDataset, size: int) -> list[Patch]:
    """Windows of which one novel class covers ``DOMINANT``, for tests on clean labels."""
    novel = tiles.taxonomy.novel_ids
    found = []
    for windows in tile_windows(tiles, size):
        counts = windows.counts[:, novel]
        for row in np.flatnonzero(
            counts.max(axis=1, initial=0) >= DOMINANT * windows.area
        ).tolist():
            label = novel[int(counts[row].argmax())]
            found.append(_patch(windows, row, label, label))
    return found


def support_patches(
    tiles: TileDataset, class_ids: Sequence[int], size: int, share: float
) -> list[Patch]:
    """Windows of support tiles in which the tile's own class has a share, labelled as that class.

    Args:
        tiles: Support tiles first; further ones are not looked at.
        class_ids: The novel class of each support tile.
        size: Side of a window.
        share: Least share of the window's pixels; 0 takes all windows.
    """
    found = []
    for windows in tile_windows(tiles, size, chosen=list(range(len(class_ids)))):
        own = class_ids[windows.tile]
        covered = windows.counts[:, own]
        for row in np.flatnonzero(covered >= share * windows.area).tolist():
            truth = own if covered[row] >= DOMINANT * windows.area else None
            found.append(_patch(windows, row, own, truth))
    return found


def need_windows(
    patches: Iterable[Patch], wanted: Iterable[int], taxonomy: Taxonomy, least: int, where: str
) -> None:
    """Refuse a set in which a class has too few windows.

    Args:
        patches: The set.
        wanted: Class ids that are needed.
        taxonomy: Names the classes.
        least: Windows that each needs.
        where: What the windows were sought in, for the message.

    Raises:
        DataError: a class has fewer.
    """
    counts = np.bincount([p.label for p in patches], minlength=taxonomy.num_classes)
    few = [i for i in wanted if counts[i] < least]
    if few:
        found = ", ".join(f"{taxonomy.names[i]} {counts[i]}" for i in wanted)
        raise DataError(
            f"{where}: too few windows of {', '.join(taxonomy.names[i] for i in few)}; at least "
            f"{least} of each class are needed, found are {found}. A window counts where one class "
            f"covers {DOMINANT:.0%} of it. Lower data.window (smaller windows are purer and more), "
            "label more tiles, or list classes of small objects under data.no_windows."
        )


def _patch(windows: TileWindows, row: int, label: int, truth: int | None) -> Patch:
    top, left = windows.corners[row]
    return Patch(windows.tile, int(top), int(left), label, truth)
