"""The labels in memory, and what an edit of them does to the rows of their layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import shapely
from shapely.geometry.base import BaseGeometry

from terrashot.annotation.geometry_blob import from_blob, to_blob
from terrashot.annotation.geopackage import LabelLayer
from terrashot.annotation.journal import Change, Row

_LEAST = 1e-6
"""Share of a label's area below which a remainder is a sliver of rounding."""


@dataclass(frozen=True)
class Label:
    """A polygon that is of a class.

    Args:
        key: Its row.
        name: The class.
        shape: In the coordinates of the layer.
    """

    key: int
    name: str
    shape: BaseGeometry


class LabelRows:
    """All rows of the layer, and the labels that they are.

    Args:
        layer: The layer.
        rows: Its rows by their keys.

    Attributes:
        labels: By their rows, the oldest first; rows without a geometry or a class are none.
    """

    def __init__(self, layer: LabelLayer, rows: Mapping[int, Row]) -> None:
        self._layer = layer
        self._rows = dict(rows)
        found = {key: self._as_label(key, row) for key, row in self._rows.items()}
        self.labels = {key: label for key, label in found.items() if label is not None}

    def take(self, change: Change) -> Label | None:
        """Bring a row to what was written; the label that it is now."""
        key, row = change.key, change.after
        assert key is not None
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
        label = None if row is None else self._as_label(key, row)
        if label is None:
            self.labels.pop(key, None)
        else:
            self.labels[key] = label
        return label

    def under(self, shape: BaseGeometry) -> list[Label]:
        """The labels that a shape touches."""
        shapely.prepare(shape)
        return [label for label in self.labels.values() if shape.intersects(label.shape)]

    def add(self, part: BaseGeometry, name: str, author: str, tool: str) -> Change:
        """A new label."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        row = {
            self._layer.geometry: self._blob(part),
            self._layer.attribute: name,
            "author": author,
            "time": time,
            "tool": tool,
        }
        return Change(self._layer.table, None, None, row)

    def remove(self, keys: Sequence[int]) -> list[Change]:
        """Take rows out, those that are there."""
        table = self._layer.table
        return [Change(table, key, self._rows[key], None) for key in keys if key in self._rows]

    def move(self, name: str, new: str) -> list[Change]:
        """Give all labels of a class to another one."""
        table, column = self._layer.table, self._layer.attribute
        return [
            Change(table, key, self._rows[key], {**self._rows[key], column: new})
            for key in self.of_class(name)
        ]

    def of_class(self, name: str) -> list[int]:
        """The rows of a class."""
        return [key for key, label in self.labels.items() if label.name == name]

    def cut(self, labels: Sequence[Label], shape: BaseGeometry) -> list[Change]:
        """Take a shape out of labels; each part that is left is a label of its own."""
        table, column = self._layer.table, self._layer.geometry
        changes = []
        for label in labels:
            left = polygons(shapely.make_valid(label.shape).difference(shape))
            left = [part for part in left if part.area > _LEAST * label.shape.area]
            before = self._rows[label.key]
            if len(left) == 1 and left[0].equals(label.shape):
                continue  # they only touch
            after = {**before, column: self._blob(left[0])} if left else None
            changes.append(Change(table, label.key, before, after))
            for part in left[1:]:
                changes.append(Change(table, None, None, {**before, column: self._blob(part)}))
        return changes

    def _as_label(self, key: int, row: Row) -> Label | None:
        shape, value = from_blob(row[self._layer.geometry]), row[self._layer.attribute]
        name = "" if value is None else " ".join(str(value).split())
        return None if shape is None or not name else Label(key, name, shape)

    def _blob(self, part: BaseGeometry) -> bytes:
        whole = shapely.multipolygons([part]) if self._layer.multi else part
        return to_blob(whole, self._layer.srs)


def polygons(shape: BaseGeometry) -> list[BaseGeometry]:
    """The parts of a geometry that have an area."""
    found = []
    for part in shapely.get_parts(shapely.make_valid(shape)).tolist():
        if part.geom_type in ("MultiPolygon", "GeometryCollection"):
            found += polygons(part)
        elif part.geom_type == "Polygon" and part.area > 0:
            found.append(part)
    return found
