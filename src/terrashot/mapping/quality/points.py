"""A map held against labelled points."""

from collections.abc import Collection

import numpy as np
import shapely

from terrashot.errors import DataError
from terrashot.mapping.quality.amounts import inside
from terrashot.mapping.quality.class_raster import NONE, ClassRaster
from terrashot.mapping.quality.drawn import Drawn


def classes_at(
    drawn: Drawn, raster: ClassRaster, strata: ClassRaster, left_out: Collection[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """What the map and the strata say at each point that lies on them.

    Args:
        drawn: The points.
        raster: The map.
        strata: The classes of another map on the same grid, or the same one.
        left_out: Classes of the map that do not count as a part of it.

    Returns:
        The points that count [n], as places in ``drawn``; the class of the map there [n]; the
        stratum [n]; what was left out.

    Raises:
        DataError: no point counts, or they were drawn in other strata.
    """
    height, width = raster.shape
    places = np.full((len(drawn.shapes), 2), -1.0)  # empty ones are far off
    there = ~shapely.is_empty(drawn.shapes)
    places[there] = shapely.get_coordinates(drawn.shapes[there])
    on_map = ((places >= 0) & (places < (width, height))).all(axis=1)
    columns, rows = np.where(on_map, np.floor(places).T, -1).astype(np.int64)
    mapped = raster.at(rows, columns)
    stratum = mapped if strata is raster else strata.at(rows, columns)
    skipped = np.isin(mapped, list(left_out))
    mapped, stratum = inside(mapped, stratum, left_out)
    counts: np.ndarray = mapped != NONE
    notes = _notes(
        {
            "off the map": np.logical_not(on_map),
            "where the map has no class": on_map & ~counts & ~skipped,
            "in classes that are left out": skipped,
        },
        len(places),
    )
    if not counts.any():
        raise DataError(
            f"reference: none of the {len(places)} point(s) lies where {raster.path} has a class "
            f"({'; '.join(notes)}). Check that the layer names the reference system that it was "
            "drawn in."
        )
    if drawn.strata is not None:
        _check_strata(drawn.strata[counts], stratum[counts], strata)
    pixels = rows[counts] * width + columns[counts]
    again = len(pixels) - len(np.unique(pixels))
    if again:
        notes.append(f"{again} point(s) lie in the pixel of another one; each counts")
    return np.flatnonzero(counts), mapped[counts], stratum[counts], notes


def _notes(left_out: dict[str, np.ndarray], total: int) -> list[str]:
    return [
        f"{int(which.sum())} of {total} point(s) {where}: left out"
        for where, which in left_out.items()
        if which.any()
    ]


def _check_strata(said: np.ndarray, found: np.ndarray, strata: ClassRaster) -> None:
    other = int((said != found).sum())
    if other:
        raise DataError(
            f"reference: {other} of {len(said)} point(s) were drawn in another stratum than that "
            f"of {strata.path} (column stratum_id): the sample was drawn from another map, or "
            "points were moved. Name the map that it was drawn from with strata=PATH; a point has "
            "to stay in its pixel."
        )
