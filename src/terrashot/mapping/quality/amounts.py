"""How much of each class a map holds, counted once, block by block."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from terrashot.errors import DataError
from terrashot.mapping.postprocess.block_map import Block
from terrashot.mapping.quality.class_raster import NONE, ClassRaster
from terrashot.mapping.quality.legend import LARGEST_ID

_MOST = 255


@dataclass(frozen=True)
class Amounts:
    """Classes that are there, in order.

    Args:
        ids: Of the classes [H].
        pixels: Of each [H].
        areas: Of each, in square metres; pixels where the map says nothing of areas [H].
    """

    ids: np.ndarray
    pixels: np.ndarray
    areas: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Shares of the whole area [H]."""
        return self.areas / self.areas.sum()


class Tally:
    """Adds up pixels and areas by class id."""

    def __init__(self) -> None:
        self._pixels = np.zeros(LARGEST_ID + 2)
        self._areas = np.zeros(LARGEST_ID + 2)

    def add(self, ids: np.ndarray, areas: np.ndarray) -> None:
        """Count a block [h, w]; ``NONE`` does not count."""
        counts = np.bincount(ids.reshape(-1) - NONE)
        self._pixels[: len(counts)] += counts
        self._areas[: len(counts)] += np.bincount(ids.reshape(-1) - NONE, areas.reshape(-1))

    def amounts(self) -> Amounts:
        """What was added."""
        places = np.flatnonzero(self._pixels[1:])
        pixels = self._pixels[1:][places].astype(np.int64)
        return Amounts(places, pixels, self._areas[1:][places])


def pixel_areas(raster: ClassRaster, block: Block) -> np.ndarray:
    """Square metres of each pixel of a block; 1 where the map says nothing of areas."""
    found = raster.ground.pixels(block.top, block.left, block.height, block.width)
    return np.ones((block.height, block.width)) if found is None else found


def inside(
    mapped: np.ndarray, strata: np.ndarray, left_out: Collection[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of both where both have a class and the map none that is left out; else ``NONE``."""
    outside = (mapped == NONE) | (strata == NONE) | np.isin(mapped, list(left_out))
    return np.where(outside, NONE, mapped), np.where(outside, NONE, strata)


def measure(
    raster: ClassRaster, strata: ClassRaster, left_out: Collection[int] = ()
) -> tuple[Amounts, Amounts]:
    """How much there is of each class of a map and of each stratum, on their common ground.

    Args:
        raster: The map.
        strata: The classes of another map on the same grid, or the same one.
        left_out: Classes of the map that do not count as a part of it.

    Raises:
        DataError: nothing is left, or there are more classes than a map has.
    """
    of_map, of_strata = Tally(), Tally()
    for block in raster.blocks():
        ids = raster.read(block)
        drawn = ids if strata is raster else strata.read(block)
        ids, drawn = inside(ids, drawn, left_out)
        areas = pixel_areas(raster, block)
        of_map.add(ids, areas)
        if strata is not raster:
            of_strata.add(drawn, areas)
    found = of_map.amounts()
    if not len(found.ids):
        raise DataError(f"{raster.path} has no pixel with a class that counts.")
    if len(found.ids) > _MOST:
        raise DataError(
            f"{raster.path} holds {len(found.ids)} different numbers; a class map of at most "
            f"{_MOST} classes was expected."
        )
    return found, found if strata is raster else of_strata.amounts()
