"""The same picture under two names, or on two lists."""

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from terrashot.data.layout import FewShotLayout, Tile

_ROWS = 8


def twins(one: Sequence[Tile], other: Sequence[Tile]) -> list[tuple[Tile, Tile]]:
    """Pairs of tiles, one of each list, that are the same: by name, or by their pixels.

    Pixels are compared whatever the format of the files; first the upper rows of each, then whole
    images where those agree. A picture of one value (all black, say) is no twin of another. A file
    that cannot be read has no twins: who uses it says so.

    Returns:
        In the order of ``one``, then of ``other``; a tile is no twin of itself within one list.
    """
    looks: dict[object, list[Tile]] = defaultdict(list)
    for tile in other:
        looks[_known(_glimpse, tile.image)].append(tile)
    found = []
    for tile in one:
        look = _known(_glimpse, tile.image)
        for candidate in other:
            if candidate is tile:
                continue
            alike = look is not None and candidate in looks[look]
            if candidate.name == tile.name or (alike and _same_pixels(tile.image, candidate.image)):
                found.append((tile, candidate))
    return found


def support_in_queries(layout: FewShotLayout) -> list[tuple[Tile, Tile]]:
    """Support tiles and the query tiles that are the same; empty where no query has a label."""
    if not layout.has_labelled_queries:
        return []
    return twins([t for tiles in layout.support.values() for t in tiles], layout.query)


def repeated_support(layout: FewShotLayout) -> list[tuple[int, Tile, Tile]]:
    """Class id and pairs of support tiles of that class that are the same."""
    return [
        (class_id, *pair)
        for class_id, tiles in layout.support.items()
        for number, tile in enumerate(tiles)
        for pair in twins([tile], tiles[number + 1 :])
    ]


def _same_pixels(one: Path, other: Path) -> bool:
    first = _known(_digest, one)
    return first is not None and first == _known(_digest, other)


def _known(look: Callable[[Path, int, int], object], path: Path) -> object:
    """What a look at a file gives, once for each state of it; None: it cannot be read."""
    try:
        state = path.stat()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return look(path, state.st_size, state.st_mtime_ns)
    except (OSError, RasterioError):
        return None


@lru_cache(maxsize=100_000)  # a multirun asks for each of its jobs
def _glimpse(path: Path, size: int, time: int) -> object:
    """Something that twins share and few others, from the first rows: no format decodes more."""
    with rasterio.open(path) as source:
        rows = source.read(window=Window(0, 0, source.width, min(source.height, _ROWS)))
        return source.count, source.shape, hashlib.sha256(rows.tobytes()).digest()


@lru_cache(maxsize=100_000)
def _digest(path: Path, size: int, time: int) -> object:
    """What twins alone share; None for a picture of one value."""
    with rasterio.open(path) as source:
        pixels = source.read()
    return hashlib.sha256(pixels.tobytes()).digest() if np.ptp(pixels) else None
