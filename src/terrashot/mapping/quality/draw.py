"""Pixels of a map drawn at random within each class, in one pass, the same for the same seed."""

import numpy as np

from terrashot.mapping.quality.amounts import Amounts, pixel_areas
from terrashot.mapping.quality.class_raster import ClassRaster
from terrashot.mapping.quality.legend import LARGEST_ID


def draw_pixels(
    raster: ClassRaster, amounts: Amounts, units: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw so many pixels of each class without replacement, evenly over its ground.

    Where pixels are of unlike size (degrees), a pixel is the likelier drawn the more ground it
    covers, so that a share of points is a share of ground. Each pixel draws a key, and the largest
    of a class are kept: P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a
    reservoir", Information Processing Letters 97, 2006, 181-185.

    Args:
        raster: The map.
        amounts: Its classes, those that are left out not among them [H].
        units: Pixels of each [H], no more than there are.
        seed: Of the draw.

    Returns:
        Row, column and class id of each pixel [n], in random order.
    """
    rng = np.random.default_rng(seed)
    width = raster.shape[1]
    keys = [np.empty(0) for _ in units]
    places = [np.empty(0, dtype=np.int64) for _ in units]
    # What a key has to exceed, by class id; the last place is that of pixels without a class.
    least = np.full(LARGEST_ID + 2, np.inf)
    least[amounts.ids] = -np.inf
    for block in raster.blocks():
        ids = raster.read(block)
        drawn = np.log(rng.random(ids.shape)) / pixel_areas(raster, block)
        rows, columns = np.nonzero(drawn > least[ids])
        of, key = ids[rows, columns], drawn[rows, columns]
        place = (block.top + rows) * width + block.left + columns
        for number, (index, most) in enumerate(zip(amounts.ids, units, strict=True)):
            mine = of == index
            own = np.concatenate([keys[number], key[mine]])
            where = np.concatenate([places[number], place[mine]])
            best = np.argsort(-own, kind="stable")[:most]
            keys[number], places[number] = own[best], where[best]
            if len(best) == most:
                least[index] = own[best[-1]]
    every = np.concatenate(places)
    ids = np.repeat(amounts.ids, [len(found) for found in places])
    order = rng.permutation(len(every))
    rows, columns = np.divmod(every[order], width)
    return rows, columns, ids[order]
