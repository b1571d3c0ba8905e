"""Pixels of a map drawn at random within each class, in one pass, the same for the same seed."""

import numpy as np

from terrashot.mapping.quality.amounts import Amounts, inside, pixel_areas
from terrashot.mapping.quality.class_raster import ClassRaster


def draw_pixels(
    raster: ClassRaster, amounts: Amounts, units: np.ndarray, seed: int, left_out: frozenset[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw so many pixels of each class without replacement, evenly over its ground.

    Where pixels are of unlike size (degrees), a pixel is the likelier drawn the more ground it
    covers, so that a share of points is a share of ground. Each pixel draws a key, and the largest
    of a class are kept: P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a
    reservoir", Information Processing Letters 97, 2006, 181-185.

    Args:
        raster: The map.
        amounts: Its classes [H].
        units: Pixels of each [H], no more than there are.
        seed: Of the draw.
        left_out: Classes of the map that are no part of it.

    Returns:
        Row, column and class id of each pixel [n], in random order.
    """
    rng = np.random.default_rng(seed)
    width = raster.shape[1]
    keys = [np.empty(0) for _ in units]
    places = [np.empty(0, dtype=np.int64) for _ in units]
    for block in raster.blocks():
        ids, _ = inside(found := raster.read(block), found, left_out)
        drawn = np.log(rng.random(ids.shape)) / pixel_areas(raster, block)
        for number, (index, most) in enumerate(zip(amounts.ids, units, strict=True)):
            least = keys[number].min() if len(keys[number]) == most else -np.inf
            rows, columns = np.nonzero((ids == index) & (drawn > least))
            key = np.concatenate([keys[number], drawn[rows, columns]])
            place = (block.top + rows) * width + block.left + columns
            place = np.concatenate([places[number], place])
            best = np.argsort(-key, kind="stable")[:most]
            keys[number], places[number] = key[best], place[best]
    every = np.concatenate(places)
    ids = np.repeat(amounts.ids, [len(found) for found in places])
    order = rng.permutation(len(every))
    rows, columns = np.divmod(every[order], width)
    return rows, columns, ids[order]
