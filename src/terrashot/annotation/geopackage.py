"""The GeoPackage that labels are kept in: made or looked at, opened for many small edits."""

import sqlite3
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.crs import CRS

from terrashot.annotation.geometry_blob import add_index_functions
from terrashot.data.labels.colors import CLASSES
from terrashot.errors import ConfigError, DataError, one_line

LAYER = "labels"
HISTORY = "terrashot_history"
_OWN_COLUMNS = {"author": "TEXT", "time": "DATETIME", "tool": "TEXT"}
_KINDS = ("POLYGON", "MULTIPOLYGON", "GEOMETRY", "CURVEPOLYGON")
_WAIT = 5.0
"""Seconds that a write waits for another program to finish its own."""


@dataclass(frozen=True)
class LabelLayer:
    """A layer of polygons in a GeoPackage.

    Args:
        path: The file.
        table: Name of the layer.
        attribute: Column of the class.
        key: Column of the row number.
        geometry: Column of the geometry.
        srs: Its ``srs_id`` there.
        multi: Whether its geometries are declared to have several parts.
        crs: Reference system; None where the layer names none.
    """

    path: Path
    table: str
    attribute: str
    key: str
    geometry: str
    srs: int
    multi: bool
    crs: CRS | None


def open_layer(
    path: Path, layer: str | None, attribute: str, crs: str | None
) -> tuple[LabelLayer, sqlite3.Connection]:
    """The layer that labels go to, made where there is none.

    A layer that somebody else made gets columns for author, time and tool, and the file two
    tables: of the classes, and of what can be undone.

    Args:
        path: The GeoPackage.
        layer: Name of the layer, where the file has several; of a new one too.
        attribute: Column of the class.
        crs: Reference system of a new layer as WKT; None: pixels of the one image.

    Raises:
        ConfigError: not the name of a GeoPackage.
        DataError: it can't be read or written, or has no such layer of polygons.
    """
    if path.suffix.lower() != ".gpkg":
        raise ConfigError(
            f"labels={path} is not the name of a GeoPackage. Labels are saved stroke by stroke, "
            "for which a file NAME.gpkg is needed; `ogr2ogr NAME.gpkg FILE` makes one of another "
            "vector file."
        )
    try:
        if not path.exists():
            _create(path, layer or LAYER, attribute, crs)
        name = _chosen(path, layer)
        wkt = pyogrio.read_info(path, layer=name)["crs"]
    except (DataSourceError, DataLayerError, OSError) as error:
        raise DataError(
            f"labels={path} cannot be opened as a GeoPackage: {one_line(error)}. Name another "
            "file, a new one too, in a folder that can be written to."
        ) from error
    try:
        connection = _connected(path)
        found = _looked_at(connection, path, name, attribute, wkt)
        _prepare(connection, found)
    except sqlite3.Error as error:
        raise DataError(
            f"labels={path} cannot be written to: {one_line(error)}. Look at its rights and at the "
            "space on the disk, or close the program that holds it."
        ) from error
    return found, connection


def quoted(name: str) -> str:
    """The name of a table or column in SQL, whatever signs it has."""
    return '"' + name.replace('"', '""') + '"'


def _create(path: Path, layer: str, attribute: str, crs: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        pyogrio.raw.write(
            path,
            geometry=np.empty(0, dtype=object),
            field_data=[
                np.empty(0, dtype=object),
                np.empty(0, dtype=object),
                np.empty(0, dtype="datetime64[ms]"),
                np.empty(0, dtype=object),
            ],
            fields=[attribute, *_OWN_COLUMNS],
            layer=layer,
            driver="GPKG",
            geometry_type="Polygon",
            crs=crs,
        )


def _chosen(path: Path, wanted: str | None) -> str:
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if wanted in layers:
        return str(wanted)
    if wanted is None and len(layers) == 1:
        return layers[0]
    what = f"has no layer '{wanted}'" if wanted is not None else f"has {len(layers)} layers"
    raise DataError(f"{path} {what}: {', '.join(layers) or 'it is empty'}. Name one: labels.layer=")


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    add_index_functions(connection)
    # Readers (QGIS) and the page then never wait for each other; a commit is on the disk.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _looked_at(
    connection: sqlite3.Connection, path: Path, table: str, attribute: str, wkt: str | None
) -> LabelLayer:
    row = connection.execute(
        "SELECT column_name, geometry_type_name, srs_id FROM gpkg_geometry_columns "
        "WHERE table_name = ?",
        (table,),
    ).fetchone()
    if row is None or row["geometry_type_name"].upper() not in _KINDS:
        kind = "no table of its own" if row is None else f"geometries {row['geometry_type_name']}"
        raise DataError(
            f"{path}: the layer '{table}' has {kind}, but the page draws polygons. Name a layer "
            "of polygons with labels.layer=, or another file."
        )
    columns = connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    key = next((str(c["name"]) for c in columns if c["pk"]), "fid")
    names = [str(c["name"]) for c in columns]
    if attribute not in names:
        raise DataError(
            f"{path}: the layer '{table}' has no attribute '{attribute}'; it has "
            f"{', '.join(n for n in names if n not in (key, row['column_name'])) or 'none'}. "
            "labels.attribute names the one that holds each object's class."
        )
    # -1 and 0 stand for systems that nobody has named, of which GDAL makes up a text.
    crs = CRS.from_user_input(wkt) if wkt and row["srs_id"] > 0 else None
    return LabelLayer(
        path,
        table,
        attribute,
        key,
        str(row["column_name"]),
        int(row["srs_id"]),
        row["geometry_type_name"].upper() == "MULTIPOLYGON",
        crs,
    )


def _prepare(connection: sqlite3.Connection, layer: LabelLayer) -> None:
    """Add the columns and tables that are missing."""
    columns = connection.execute(f"PRAGMA table_info({quoted(layer.table)})").fetchall()
    missing = {n: k for n, k in _OWN_COLUMNS.items() if n not in {c["name"] for c in columns}}
    statements = [
        f"ALTER TABLE {quoted(layer.table)} ADD COLUMN {name} {kind}"
        for name, kind in missing.items()
    ]
    statements += [
        f"CREATE TABLE IF NOT EXISTS {CLASSES} "
        "(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL, color TEXT NOT NULL)",
        f"CREATE TABLE IF NOT EXISTS {HISTORY} (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
        "name TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0, changes TEXT NOT NULL)",
        # With a registered table beside the layer GDAL shows no others.
        "INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier) "
        f"VALUES ('{CLASSES}', 'attributes', '{CLASSES}')",
    ]
    _in_one(connection, statements)


def _in_one(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
