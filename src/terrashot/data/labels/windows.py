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

    Windows have ``side`` pixels where the image is as large, never reach beyond it, and begin at
    multiples of half a side unless a shape is too large for that: so most of them stay as they are
    when something is drawn beside, and what the network has seen of them is known. A shape that is
    larger than a window is shown in pieces. The outcome depends on the shapes alone, not on their
    order.

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
        left, top, right, bottom = (int(v) for v in boxes[0])
        choice = [
            Place(y, x, rows, columns)
            for y in _starts(top, bottom, rows, height)
            for x in _starts(left, right, columns, width)
        ]
        shown = [_shown(boxes, place) for place in choice]
        # The one that shows most; among these one at multiples of whole sides, which is the same
        # whatever is drawn next, and then the one that has the first shape in its middle.
        ranks = [
            (seen.sum(), _wholes(place), -_off_middle(boxes[0], place))
            for seen, place in zip(shown, choice, strict=True)
        ]
        best = max(range(len(choice)), key=ranks.__getitem__)
        places.append(choice[best])
        boxes = boxes[~shown[best]]
    return places


def places_within(area: Place, height: int, width: int, side: int) -> list[Place]:
    """Windows in which ``places_around`` may show small shapes of an area, the likeliest first.

    Args:
        area: Of the image; windows that reach beyond it are left out.
        height: Rows of the image.
        width: Columns.
        side: Of a window.
    """
    rows, columns = min(side, height), min(side, width)
    ends = area.top + area.height - rows, area.left + area.width - columns
    found = [
        Place(top, left, rows, columns)
        for top in sorted(_lattice(rows, height))
        for left in sorted(_lattice(columns, width))
        if area.top <= top <= ends[0] and area.left <= left <= ends[1]
    ]
    return sorted(found, key=_wholes, reverse=True)


def _lattice(side: int, length: int) -> set[int]:
    """Where windows begin along a side, unless a shape is too large for that."""
    return {min(start, length - side) for start in range(0, length, max(side // 2, 1))}


def _starts(first: int, last: int, side: int, length: int) -> list[int]:
    """Where windows may begin that show all from ``first`` to ``last``, along a side."""
    lattice = _lattice(side, length)
    fitting = sorted(start for start in lattice if start <= first and last <= start + side)
    return fitting or [min(max((first + last - side) // 2, 0), length - side)]


def _shown(boxes: np.ndarray, place: Place) -> np.ndarray:
    """Boxes [n] that lie wholly in a window."""
    shown: np.ndarray = (boxes[:, 0] >= place.left) & (boxes[:, 2] <= place.left + place.width)
    shown &= (boxes[:, 1] >= place.top) & (boxes[:, 3] <= place.top + place.height)
    return shown


def _wholes(place: Place) -> int:
    """In how many directions a window begins at a multiple of its side."""
    return (place.top % place.height == 0) + (place.left % place.width == 0)


def _off_middle(box: np.ndarray, place: Place) -> int:
    """How far a box is from the middle of a window, in half pixels."""
    left, top, right, bottom = (int(v) for v in box)
    across = abs(left + right - 2 * place.left - place.width)
    return max(across, abs(top + bottom - 2 * place.top - place.height))


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
