"""A map held against labelled polygons."""

from collections.abc import Collection

import numpy as np
import shapely

from terrashot.data.labels.burn import burnt
from terrashot.data.labels.windows import Place
from terrashot.errors import DataError
from terrashot.mapping.postprocess.block_map import Block, blocks_of
from terrashot.mapping.quality.amounts import pixel_areas
from terrashot.mapping.quality.class_raster import ClassRaster
from terrashot.mapping.quality.drawn import Drawn
from terrashot.mapping.quality.legend import LARGEST_ID

_SIDE = 1024


def ground_of(
    drawn: Drawn,
    reference: np.ndarray,
    raster: ClassRaster,
    ids: np.ndarray,
    left_out: Collection[int],
) -> tuple[np.ndarray, list[str]]:
    """What each object shows of the map: pixels whose centres lie in it.

    A pixel that polygons of several classes claim counts for none of them, and one that several of
    the same class claim for the first.

    Args:
        drawn: The polygons.
        reference: Class of each, as a place in ``ids`` [n].
        raster: The map.
        ids: Classes [K]; those of the map among them.
        left_out: Classes of the map that do not count as a part of it.

    Returns:
        Area by object, class of the map and class of the reference [C, K, K], of the objects that
        show anything; what was left out.

    Raises:
        DataError: none shows anything.
    """
    objects = np.unique(drawn.rows)
    ground = np.zeros((len(objects), len(ids), len(ids)))
    index = np.full(LARGEST_ID + 2, -1)  # the last place is that of NONE
    index[ids] = np.arange(len(ids))
    index[list(left_out)] = -1
    tree = shapely.STRtree(drawn.shapes)
    claimed = False
    for number, shape in enumerate(drawn.shapes):
        near = tree.query(shape, predicate="intersects")
        others = near[reference[near] != reference[number]]
        before = near[(reference[near] == reference[number]) & (near < number)]
        own = int(np.searchsorted(objects, drawn.rows[number]))
        for block in _blocks(shape, raster.shape):
            window = Place(block.top, block.left, block.height, block.width)
            mine = burnt(drawn.shapes[[number]], window)
            taken = mine & burnt(drawn.shapes[others], window)
            claimed |= bool(taken.any())
            mine &= ~taken & ~burnt(drawn.shapes[before], window)
            found = index[raster.read(block)[mine]]
            areas = pixel_areas(raster, block)[mine]
            known = found >= 0
            ground[own, :, reference[number]] += np.bincount(
                found[known], areas[known], minlength=len(ids)
            )
    shown = ground.any(axis=(1, 2))
    notes = []
    if not shown.all():
        notes.append(
            f"{int((~shown).sum())} of {len(objects)} polygon(s) show no pixel of the map: left out"
        )
    if claimed:
        notes.append("pixels that polygons of several classes claim are left out")
    if not shown.any():
        raise DataError(
            f"reference: none of the {len(objects)} polygon(s) shows a pixel where {raster.path} "
            "has a class. Check that the layer names the reference system that it was drawn in."
        )
    return ground[shown], notes


def _blocks(shape: shapely.Geometry, size: tuple[int, int]) -> list[Block]:
    """The part of the map that a polygon lies in, in pieces."""
    if shapely.is_empty(shape):
        return []
    left, top, right, bottom = shape.bounds
    left, top = max(int(np.floor(left)), 0), max(int(np.floor(top)), 0)
    right, bottom = min(int(np.ceil(right)), size[1]), min(int(np.ceil(bottom)), size[0])
    if left >= right or top >= bottom:
        return []
    return [
        Block(top + part.top, left + part.left, part.height, part.width)
        for part in blocks_of((bottom - top, right - left), _SIDE)
    ]
