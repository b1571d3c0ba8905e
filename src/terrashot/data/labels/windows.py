"""Few windows that show all objects: where images are cut."""

import math
from dataclasses import dataclass

import numpy as np
import shapely


@dataclass(frozen=True)
class Place:
    """A window of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def box(self) -> shapely.Polygon:
        """The same as a polygon of (column, row)."""
        return shapely.box(self.left, self.top, self.left + self.width, self.top + self.height)

    def __str__(self) -> str:
        """Upper left corner (column, row) and size, as provenance names it."""
        return f"{self.left},{self.top} {self.width} x {self.height}"


def places_around(shapes: np.ndarray, height: int, width: int, side: int) -> list[Place]:
    """Windows in which every shape can be seen, those near each other in the same one.

    Windows have ``side`` pixels where the image is as large, and never reach beyond it. A shape
    that is larger than a window is shown in pieces. The outcome depends on the shapes alone, not
    on their order.

    Args:
        shapes: Polygons in pixel coordinates (column, row).
        height: Rows of the image.
        width: Columns.
        side: Of a window.
    """
    rows, columns = min(side, height), min(side, width)
    boxes = _pieces(shapes, height, width, rows, columns)
    places = []
    while len(boxes):
        left, top, right, bottom = _grouped(boxes, rows, columns)
        place = Place(
            top=min(max((top + bottom - rows) // 2, 0), height - rows),
            left=min(max((left + right - columns) // 2, 0), width - columns),
            height=rows,
            width=columns,
        )
        places.append(place)
        shown = (boxes[:, 0] >= place.left) & (boxes[:, 2] <= place.left + columns)
        shown &= (boxes[:, 1] >= place.top) & (boxes[:, 3] <= place.top + rows)
        boxes = boxes[~shown]
    return places


def _pieces(shapes: np.ndarray, height: int, width: int, rows: int, columns: int) -> np.ndarray:
    """Sorted boxes (left, top, right, bottom) of whole pixels [n, 4], none larger than a window."""
    frame = shapely.box(0, 0, width, height)
    found = set()
    for shape in shapely.intersection(shapes[shapely.intersects(shapes, frame)], frame):
        if shapely.area(shape) == 0:
            continue  # it only touches the border
        left, top, right, bottom = shape.bounds
        left, top = math.floor(left), math.floor(top)
        right, bottom = math.ceil(right), math.ceil(bottom)
        cuts = [
            np.linspace(first, last, -(-(last - first) // most) + 1).round().astype(int)
            for first, last, most in ((top, bottom, rows), (left, right, columns))
        ]
        whole = len(cuts[0]) == len(cuts[1]) == 2
        for y0, y1 in zip(cuts[0][:-1], cuts[0][1:], strict=True):
            for x0, x1 in zip(cuts[1][:-1], cuts[1][1:], strict=True):
                piece = shapely.intersection(shape, shapely.box(x0, y0, x1, y1))
                if whole or shapely.area(piece) > 0:
                    found.add((int(y0), int(x0), int(y1), int(x1)))
    boxes = np.array(sorted(found), dtype=np.int64).reshape(-1, 4)
    return boxes[:, [1, 0, 3, 2]]


def _grouped(boxes: np.ndarray, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Extent of the first box and of all that fit into one window with it, the nearest first."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    order = np.argsort(np.abs(centres - centres[0]).max(axis=1), kind="stable")
    left, top, right, bottom = (int(v) for v in boxes[0])
    for x0, y0, x1, y1 in boxes[order]:
        wider = (min(left, x0), min(top, y0), max(right, x1), max(bottom, y1))
        if wider[2] - wider[0] <= columns and wider[3] - wider[1] <= rows:
            left, top, right, bottom = (int(v) for v in wider)
    return left, top, right, bottom
