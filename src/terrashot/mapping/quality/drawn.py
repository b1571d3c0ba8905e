"""A reference that people drew: points or polygons with a class, brought to the pixels of a map."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyogrio
import shapely

from terrashot.data.labels.layer import Layer, read_layer
from terrashot.data.labels.place import PixelGrid
from terrashot.errors import DataError
from terrashot.mapping.quality.class_raster import ClassRaster

STRATUM_FIELD = "stratum_id"
"""The column of a drawn sample that holds the class of the map that a point was drawn in."""


@dataclass(frozen=True)
class Drawn:
    """Labelled places on the grid of a map.

    Args:
        kind: What they are.
        shapes: In pixels (column, row) [n]; empty where they lie far off the map.
        rows: The object that each is part of [n].
        words: The class of each, as it was written [n].
        strata: The stratum that each was drawn in [n]; None: the layer does not say.
        notes: What was mended or left out.
    """

    kind: Literal["points", "polygons"]
    shapes: np.ndarray
    rows: np.ndarray
    words: np.ndarray
    strata: np.ndarray | None
    notes: tuple[str, ...]


def read_drawn(path: Path, attribute: str, layer: str | None, raster: ClassRaster) -> Drawn:
    """Read a layer of points or polygons.

    Args:
        path: A vector file.
        attribute: The column that names the class.
        layer: Its layer, where it has several.
        raster: The map.

    Raises:
        DataError: not readable, lines, points beside polygons, or nobody can say where they lie.
    """
    found = read_layer(path, attribute, layer, "reference")
    kinds = set(shapely.get_dimensions(found.shapes).tolist())
    if kinds not in ({0}, {2}):
        raise DataError(
            f"reference={path} holds {' and '.join(_KINDS[k] for k in sorted(kinds))}, but points "
            "or polygons were expected, one kind alone: what is assumed of them differs."
        )
    _check_systems(found, path, raster)
    grid = PixelGrid(raster.raster, found.crs)
    shapes = grid.polygons(found.shapes, 0.0, 0.0)
    kind: Literal["points", "polygons"] = "points" if kinds == {0} else "polygons"
    strata = _strata(path, layer, found) if kind == "points" else None
    return Drawn(kind, shapes, found.rows, found.classes, strata, found.notes)


_KINDS = {0: "points", 1: "lines", 2: "polygons"}


def _check_systems(layer: Layer, path: Path, raster: ClassRaster) -> None:
    if (layer.crs is None) == (raster.crs is None):
        return
    without, other = (path, raster.path) if layer.crs is None else (raster.path, path)
    raise DataError(
        f"{without} names no reference system, but {other} does, so nobody can say where the one "
        "lies in the other. Give it one (`ogr2ogr -a_srs` for a layer, `gdal_edit.py -a_srs` for a "
        "raster)."
    )


def _strata(path: Path, layer: str | None, found: Layer) -> np.ndarray | None:
    """The numbers of a second column, for the objects that have a class."""
    fields = [str(field) for field in pyogrio.read_info(path, layer=layer)["fields"]]
    if STRATUM_FIELD not in fields:
        return None
    second = read_layer(path, STRATUM_FIELD, layer, "reference")
    words = dict(zip(second.rows.tolist(), second.classes.tolist(), strict=True))
    numbers = [words.get(row, "") for row in found.rows.tolist()]
    if not all(number.isdecimal() for number in numbers):
        raise DataError(
            f"reference={path}: {STRATUM_FIELD} has rows without a whole number. Leave the column "
            "as it was drawn, or remove it."
        )
    return np.array([int(number) for number in numbers], dtype=np.int64)
