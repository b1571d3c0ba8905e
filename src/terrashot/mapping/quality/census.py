"""A map held against a raster of the truth, pixel by pixel."""

from collections.abc import Collection

import numpy as np

from terrashot.errors import DataError
from terrashot.mapping.quality.amounts import inside, pixel_areas
from terrashot.mapping.quality.class_raster import NONE, ClassRaster
from terrashot.mapping.quality.legend import LARGEST_ID


def compare(
    raster: ClassRaster, truth: ClassRaster, left_out: Collection[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count all pixels that have a class in both.

    Args:
        raster: The map.
        truth: On the grid of the map.
        left_out: Classes of the map that do not count as a part of it.

    Returns:
        Class ids of either [K]; area by class of the map and of the truth [K, K]; pixels [K, K].

    Raises:
        DataError: no pixel has a class in both; a class of the truth is none of the map.
    """
    known = _translation(raster, truth)
    area: dict[tuple[int, int], float] = {}
    pixels: dict[tuple[int, int], int] = {}
    for block in raster.blocks():
        found = truth.read(block)
        mapped, true = inside(raster.read(block), known[found], left_out)
        if (lost := found[(found != NONE) & (known[found] == NONE)]).size:
            raise DataError(
                f"reference={truth.path} has the class {truth.legend.name_of(int(lost[0]))}, but "
                f"the map has {', '.join(raster.legend.names.values())}. Call the classes of both "
                "the same."
            )
        counts = mapped != NONE
        pairs = np.stack([mapped[counts], true[counts]])
        every, where, number = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
        summed = np.bincount(where.reshape(-1), pixel_areas(raster, block)[counts])
        for pair, size, count in zip(every.T.tolist(), summed, number, strict=True):
            key = (pair[0], pair[1])
            area[key] = area.get(key, 0.0) + float(size)
            pixels[key] = pixels.get(key, 0) + int(count)
    if not pixels:
        raise DataError(
            f"reference={truth.path} has no class where {raster.path} has one. Check that both "
            "name the reference system that they are in."
        )
    ids = np.array(sorted({index for pair in pixels for index in pair}), dtype=np.int64)
    matrix, number = np.zeros((len(ids), len(ids))), np.zeros((len(ids), len(ids)), dtype=np.int64)
    for pair, count in pixels.items():
        row, column = np.searchsorted(ids, pair)
        matrix[row, column], number[row, column] = area[pair], count
    return ids, matrix, number


def _translation(raster: ClassRaster, truth: ClassRaster) -> np.ndarray:
    """The map's class id of each of the truth: by name where both have names, else the same."""
    table = np.arange(LARGEST_ID + 2)
    table[NONE] = NONE
    if raster.legend.names and truth.legend.names:
        for index, name in truth.legend.names.items():
            meant = raster.legend.id_of(name)
            table[index] = NONE if meant is None else meant
    return table
