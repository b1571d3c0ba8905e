"""Car parks: marked bays in double rows, aisles, parked cars, tree islands."""

import numpy as np

from terrashot.demo.canvas import Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Rect
from terrashot.demo.painter import Painter

BAY_DEPTH = 15.0
AISLE = 15.0


def paint_parking(painter: Painter, rect: Rect, occupancy: float | None = None) -> None:
    """Fill the rectangle with bays.

    Args:
        painter: what to draw with.
        rect: the ground of the car park.
        occupancy: share of bays with a car; drawn when None.
    """
    rng = painter.rng
    # Newer than the streets: darker, a little blue; the light of scenes varies more than that.
    red, green, blue = painter.palette.near(painter.palette.asphalt, 0.05)
    color = (0.80 * red, 0.83 * green, 0.90 * blue)
    asphalt = Surface(Land.PARKING, color, fine=0.03, medium=0.02, coarse=0.04)
    paint = Surface(Land.PARKING, (0.92, 0.92, 0.88), fine=0.02, medium=0.0, coarse=0.0)
    painter.rect(rect, asphalt)
    if occupancy is None:
        occupancy = float(rng.uniform(0.1, 0.4))
    along_u = rect.width >= rect.height
    start, end = (rect.left, rect.right) if along_u else (rect.top, rect.bottom)
    low, high = (rect.top, rect.bottom) if along_u else (rect.left, rect.right)
    pitch = rng.uniform(8.4, 9.4)
    rows = int((high - low + AISLE) / (2 * BAY_DEPTH + AISLE)) or 1
    module = (high - low + AISLE) / rows  # stretched so that the rows fill the ground
    edges = np.arange(start + 4, end - 3, pitch)

    def turned(points: np.ndarray) -> np.ndarray:
        return points if along_u else points[:, ::-1]

    upright = np.pi / 2 if along_u else 0.0
    for row in range(rows):
        middle = low + row * module + (module - AISLE) / 2
        if painter.chance(0.35):
            island = Surface(Land.RANGELAND, painter.palette.grass, fine=0.07, medium=0.06)
            strip = np.array([(edges[0], middle), (edges[-1], middle)])
            painter.line(turned(strip), island, width=3)
            trees = np.arange(edges[0] + 6, edges[-1], rng.uniform(24, 40))
            spots = np.stack([trees, np.full_like(trees, middle)], 1)
        else:
            painter.line(
                turned(np.array([(edges[0], middle), (edges[-1], middle)])), paint, width=2
            )
            spots = np.zeros((0, 2))
        for side in (-1.0, 1.0):
            for edge in edges.tolist():
                bay = np.array([(edge, middle), (edge, middle + side * BAY_DEPTH)])
                painter.line(turned(bay), paint, width=2)
            for edge in edges[:-1][rng.random(len(edges) - 1) < occupancy].tolist():
                center = turned(np.array([(edge + pitch / 2, middle + side * 7.8)]))[0]
                turn = upright + (np.pi if painter.chance(0.5) else 0.0) + rng.normal(0, 0.03)
                length, width = rng.uniform(12.5, 14.5), rng.uniform(6.2, 7.0)
                painter.vehicle((center[0], center[1]), turn, length, width)
        painter.trees(turned(spots), (3.0, 4.5))


def paint_trailers(painter: Painter, rect: Rect, share: float = 0.4) -> None:
    """Trucks and trailers side by side, as at a loading ramp; the ground stays as it is.

    Args:
        painter: what to draw with.
        rect: the row; it runs along the longer side.
        share: share of places that are taken.
    """
    rng = painter.rng
    along_u = rect.width >= rect.height
    start, end = (rect.left, rect.right) if along_u else (rect.top, rect.bottom)
    middle = (rect.top + rect.bottom if along_u else rect.left + rect.right) / 2
    for place in np.arange(start + 9, end - 7, 12.5).tolist():
        if painter.chance(share):
            center = (place, middle) if along_u else (middle, place)
            turn = np.pi / 2 if along_u else 0.0
            painter.vehicle(center, turn + rng.normal(0, 0.02), rng.uniform(30, 38), 8.2)
