"""Geometries as a GeoPackage keeps them, and the functions that its spatial index calls.

Source: OGC GeoPackage 1.3, clause 2.1.3 (GeoPackageBinaryHeader) and annex F.3 (RTree).
"""

import sqlite3
import struct
from collections.abc import Callable

import shapely
from shapely.geometry.base import BaseGeometry

_MAGIC = b"GP"
_LITTLE_ENDIAN, _WITH_BOX, _EMPTY = 1, 2, 16
_BOX_BYTES = (0, 32, 48, 48, 64)
"""Bytes of the envelope by the code in the flags."""


def to_blob(shape: BaseGeometry, srs: int) -> bytes:
    """A polygon with header and envelope.

    Args:
        shape: The geometry, not empty.
        srs: ``srs_id`` of the layer.
    """
    left, bottom, right, top = shape.bounds
    head = struct.pack("<2sBBi", _MAGIC, 0, _LITTLE_ENDIAN | _WITH_BOX, srs)
    return head + struct.pack("<4d", left, right, bottom, top) + shapely.to_wkb(shape)


def from_blob(blob: object) -> BaseGeometry | None:
    """The geometry in two dimensions; None where there is none, or none that shapely knows."""
    if not isinstance(blob, bytes) or blob[:2] != _MAGIC or len(blob) < 8:
        return None
    box = (blob[3] >> 1) & 7
    if blob[3] & _EMPTY or box >= len(_BOX_BYTES):
        return None
    found = shapely.from_wkb(blob[8 + _BOX_BYTES[box] :], on_invalid="ignore")
    return None if found is None or found.is_empty else shapely.force_2d(found)


def add_index_functions(connection: sqlite3.Connection) -> None:
    """Teach SQLite what the triggers of a spatial index ask of a geometry."""

    def bound(place: int) -> Callable[[object], float | None]:
        def of(blob: object) -> float | None:
            shape = from_blob(blob)
            return None if shape is None else float(shape.bounds[place])

        return of

    for name, place in {"ST_MinX": 0, "ST_MinY": 1, "ST_MaxX": 2, "ST_MaxY": 3}.items():
        connection.create_function(name, 1, bound(place), deterministic=True)
    connection.create_function(
        "ST_IsEmpty", 1, lambda blob: int(from_blob(blob) is None), deterministic=True
    )
