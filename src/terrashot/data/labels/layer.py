"""A layer of vectors: geometries with the class that an attribute gives each."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.crs import CRS

from terrashot.data.labels.colors import class_colors
from terrashot.data.labels.shapes import cleaned
from terrashot.errors import DataError, one_line

ATTRIBUTE = "class"
_SHOWN = 12


@dataclass(frozen=True)
class Layer:
    """Objects and their classes, as they stand in a layer.

    Args:
        name: What to call it in messages.
        shapes: Valid shapely geometries in two dimensions [n], each a point, a line or a polygon.
        rows: The object that each of them is part of [n].
        classes: The class of each of them [n]; empty words where no attribute was asked for.
        crs: Reference system; None where the layer names none.
        notes: What was mended or left out.
        colors: ``#rrggbb`` of classes whose colour is known.
    """

    name: str
    shapes: np.ndarray
    rows: np.ndarray
    classes: np.ndarray
    crs: CRS | None
    notes: tuple[str, ...] = ()
    colors: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The classes, sorted."""
        return sorted(set(self.classes.tolist()))

    def objects(self) -> dict[str, int]:
        """Number of objects of each class."""
        of_row = dict(zip(self.rows.tolist(), self.classes.tolist(), strict=True))
        return dict(sorted(Counter(of_row.values()).items()))


def read_layer(
    source: Any,  # noqa: ANN401 - a path, or whatever is like a GeoDataFrame
    attribute: str | None = ATTRIBUTE,
    layer: str | None = None,
    key: str = "support.labels",
) -> Layer:
    """Read a layer of a GeoPackage, GeoJSON, Shapefile, FlatGeobuf or other vector file.

    Args:
        source: The file, or an object like a GeoDataFrame: with ``geometry``, ``crs``, ``columns``.
        attribute: The column that names each object's class; None: classes are of no interest.
        layer: Name of the layer, where the file has several.
        key: The setting that names the source, for messages: ``GROUP.labels``, with layer and
            attribute in ``GROUP.layer`` and ``GROUP.attribute``, or another one, with these in
            ``key_layer`` and ``key_attribute``.

    Raises:
        DataError: no such file, layer or attribute, or no object is left.
    """
    colors: dict[str, str] = {}
    if isinstance(source, str | Path):
        name, geometry, values, crs, colors = _from_file(Path(source), attribute, layer, key)
    elif all(hasattr(source, part) for part in ("geometry", "crs", "columns")):
        name, geometry, values, crs = _from_frame(source, attribute, key)
    else:
        raise DataError(
            f"{key} is a {type(source).__name__}, but the path of a vector file, or an object with "
            "geometry, crs and columns such as a GeoDataFrame, was expected."
        )
    words = np.array([_word(value) for value in values], dtype=object)
    named = np.ones(len(words), bool) if attribute is None else words != ""
    shapes, rows, notes = cleaned(geometry[named])
    rows = np.flatnonzero(named)[rows]
    if not named.all():
        count = int((~named).sum())
        notes.insert(0, f"{count} object(s) without a value of '{attribute}' left out")
    if not len(shapes):
        raise DataError(
            f"{key}: {name} holds no object that could be used ({len(geometry)} row(s)"
            f"{'; ' + '; '.join(notes) if notes else ''}). Draw at least one polygon, line or "
            "point, or name another layer."
        )
    own = {name: color for name, color in colors.items() if name in words[rows]}
    return Layer(name, shapes, rows, words[rows], crs, tuple(notes), own)


def _from_file(
    path: Path, attribute: str | None, layer: str | None, key: str
) -> tuple[str, np.ndarray, np.ndarray, CRS | None, dict[str, str]]:
    """Name, geometries [n], values of the attribute [n], reference system, colours of classes."""
    if not path.exists():
        raise DataError(
            f"{key}={path}: there is no such file. Give a GeoPackage, GeoJSON, Shapefile or "
            "FlatGeobuf."
        )
    try:
        # A table without geometries is no layer to learn from.
        layers = [str(found) for found, kind in pyogrio.list_layers(path) if kind is not None]
        layer = _chosen(path, layers, layer, _beside(key, "layer"))
        fields = [str(field) for field in pyogrio.read_info(path, layer=layer)["fields"]]
        wanted = [] if attribute is None else [_known(attribute, fields, f"{path}", key)]
        meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer, columns=wanted)
        colors = class_colors(path)
    except (DataSourceError, DataLayerError) as error:
        raise DataError(
            f"{key}={path} cannot be read as a vector file: {one_line(error)}. A whole "
            "GeoPackage, GeoJSON, Shapefile or FlatGeobuf was expected."
        ) from error
    count = 0 if wkb is None else len(wkb)
    # What shapely does not know (curves) is left out like what has no geometry.
    geometry = shapely.from_wkb(wkb, on_invalid="ignore") if count else np.empty(0, object)
    values = columns[0] if wanted else np.full(count, "", dtype=object)
    crs = CRS.from_user_input(meta["crs"]) if meta["crs"] else None
    name = path.name if len(layers) == 1 else f"{path.name}:{layer}"
    return name, geometry, values, crs, colors


def _from_frame(
    frame: Any,  # noqa: ANN401 - like a GeoDataFrame
    attribute: str | None,
    key: str,
) -> tuple[str, np.ndarray, np.ndarray, CRS | None]:
    geometry = np.array(list(frame.geometry), dtype=object)
    name = f"the {type(frame).__name__}"
    values: Any = np.full(len(geometry), "", dtype=object)
    if attribute is not None:
        columns = [str(column) for column in frame.columns if str(column) != "geometry"]
        values = np.array(
            list(frame[_known(attribute, columns, f"{key}: {name}", key)]), dtype=object
        )
    crs = frame.crs
    if crs is not None:
        crs = CRS.from_wkt(crs.to_wkt()) if hasattr(crs, "to_wkt") else CRS.from_user_input(crs)
    return name, geometry, values, crs


def _chosen(path: Path, layers: Sequence[str], wanted: str | None, key: str) -> str:
    """The layer that is read."""
    if wanted is None and len(layers) == 1:
        return layers[0]
    if wanted in layers:
        return str(wanted)
    what = f"has no layer '{wanted}'" if wanted is not None else f"has {len(layers)} layers"
    raise DataError(f"{path} {what}: {', '.join(layers) or 'it is empty'}. Name one with {key}=.")


def _beside(key: str, what: str) -> str:
    """The setting that says more of a source."""
    group, _, setting = key.rpartition(".")
    return f"{group}.{what}" if setting == "labels" else f"{key}_{what}"


def _known(attribute: str, columns: Sequence[str], where: str, key: str) -> str:
    if attribute in columns:
        return attribute
    folded = {column.lower(): column for column in columns}
    close = difflib.get_close_matches(attribute.lower(), list(folded), n=1, cutoff=0.6)
    hint = f" Did you mean {folded[close[0]]}?" if close else ""
    raise DataError(
        f"{where} has no attribute '{attribute}'; it has "
        f"{', '.join(columns[:_SHOWN]) or 'none at all'}.{hint} "
        f"{_beside(key, 'attribute')} names the one that holds each object's class."
    )


def _word(value: Any) -> str:  # noqa: ANN401 - whatever a column holds
    """The name of a class; empty for a value that is missing."""
    if value is None or value != value:  # nan is not itself
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)  # a column of whole numbers with a gap comes as floats
    return str(value).strip()
