"""From what a hand has drawn on the page to a polygon, in pixels of the scene."""

import math
from collections.abc import Mapping
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from terrashot.annotation.errors import RefusedError

TOOLS = ("polygon", "rectangle", "brush", "point", "eraser")
_MOST = 20_000
"""Points of a stroke."""
_WIDEST = 4096.0
_FINE = 0.01
"""Share of its radius that the outline of a brush may be off."""


def as_polygon(stroke: Mapping[str, Any], height: int, width: int) -> BaseGeometry:
    """The area of a stroke, cut to the scene; it may be empty.

    Args:
        stroke: ``tool``; ``points``, pairs of (column, row) in pixels, the upper left corner of
            the scene at (0, 0); ``width`` of a brush, eraser or point in pixels.
        height: Rows of the scene.
        width: Columns.

    Raises:
        RefusedError: it is no such stroke.
    """
    tool = stroke.get("tool")
    if tool not in TOOLS:
        raise RefusedError(f"There is no tool '{tool}'.")
    points = _points(stroke.get("points"))
    frame = shapely.box(0, 0, width, height)
    if tool == "rectangle":
        if len(points) != 2:
            raise RefusedError("A rectangle has two corners.")
        (x0, y0), (x1, y1) = points
        return shapely.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)).intersection(frame)
    if tool == "polygon":
        if len(points) < 3:
            raise RefusedError("A polygon has three corners or more.")
        return shapely.make_valid(shapely.Polygon(points)).intersection(frame)
    radius = _number(stroke.get("width"), "The width of a brush") / 2
    if not 0 < radius <= _WIDEST / 2:
        raise RefusedError(f"A brush is between 0 and {_WIDEST:g} pixels wide.")
    line = shapely.Point(points[0]) if len(points) == 1 else shapely.LineString(points)
    return line.buffer(radius, quad_segs=8).simplify(_FINE * radius).intersection(frame)


def _points(value: object) -> list[tuple[float, float]]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST:
        raise RefusedError(f"A stroke has between 1 and {_MOST} points.")
    found = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise RefusedError("A point of a stroke is a pair of numbers.")
        x, y = (_number(number, "A coordinate") for number in pair)
        found.append((x, y))
    return found


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedError(f"{what} is a number.")
    if abs(value) > 1e7:
        raise RefusedError(f"{what} is far off the scene.")
    return float(value)
