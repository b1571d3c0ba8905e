"""Streets with pavements, lane markings, crossings and traffic; railways."""

import numpy as np

from terrashot.demo.canvas import Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Street
from terrashot.demo.painter import Painter, box


def paint_streets(painter: Painter, streets: list[Street], urban: float) -> None:
    """Draw the network in layers, so that junctions are open.

    Args:
        painter: what to draw with.
        streets: oldest (widest) first.
        urban: 0 country roads with verges, 1 town streets with pavements and much traffic.
    """
    palette = painter.palette
    streets = [s for s in streets if painter.visible(s.rect())]
    town = urban > 0.5
    if town:
        verge = Surface(Land.BACKGROUND, palette.near(palette.paving), fine=0.03, rows=(0, 0, 0))
    else:
        color = palette.near(palette.grass, 0.1)
        verge = Surface(Land.RANGELAND, color, fine=0.08, medium=0.08)
    for street in streets:
        painter.rect(street.rect(lengthen=4.0), verge)
    rim = 4.5 if town else 3.0
    asphalt = Surface(Land.ROAD, palette.asphalt, fine=0.03, medium=0.02, coarse=0.04)
    for street in streets:
        # Reaches into the older street it ends at: its pavement, that is, not its far side.
        painter.rect(street.rect(widen=-rim, lengthen=rim + 1), asphalt)
    for street in streets:
        _mark(painter, street, rim)
    for street in streets:
        _traffic(painter, street, rim, urban)
        if town and painter.chance(0.6):
            along = np.arange(street.start + 12, street.end - 12, painter.rng.uniform(16, 34))
            for side in (-1, 1):
                points = street.points(along, side * (street.width / 2 + 1.5))
                painter.trees(points[painter.rng.random(len(points)) < 0.7], (3.0, 5.5))


def _mark(painter: Painter, street: Street, rim: float) -> None:
    """Centre dashes, edge lines on main streets, a zebra crossing at some ends."""
    half = street.width / 2 - rim
    paint = Surface(Land.ROAD, (0.80, 0.80, 0.77), fine=0.02, medium=0.0, coarse=0.0)
    starts = np.arange(street.start + 6, street.end - 10, 13.0)
    for start in starts.tolist():
        painter.line(street.points(np.array([start, start + 6.0])), paint)
    if street.level == 0:
        along = np.arange(street.start, street.end, 20.0)
        for offset in (1.5 - half, half - 1.5):
            painter.line(street.points(along, offset), paint)
        return
    for end in (street.start + 2, street.end - 5):
        if painter.chance(0.4):
            for offset in np.arange(1.5 - half, half, 3.0).tolist():
                painter.line(street.points(np.array([end, end + 4.0]), offset), paint, width=2)


def _traffic(painter: Painter, street: Street, rim: float, urban: float) -> None:
    """Cars and trucks on the right-hand lane of each direction."""
    rng = painter.rng
    lane = (street.width / 2 - rim) / 2
    gap = 260 - 130 * urban
    for side in (-1, 1):
        place = street.start + rng.uniform(0, gap)
        while place < street.end - 12:
            length = rng.uniform(30, 40) if painter.chance(0.14) else rng.uniform(12.5, 14.5)
            center = street.points(np.array([place]), side * lane)[0]
            angle = (0.0 if street.horizontal else np.pi / 2) + (np.pi if side < 0 else 0.0)
            painter.vehicle((center[0], center[1]), angle, length, 8.2 if length > 18 else 6.4)
            place += gap * rng.uniform(0.5, 2.0)


def paint_railway(painter: Painter, street: Street) -> None:
    """Two tracks on ballast with sleepers; no class of the map, so background."""
    rect = street.rect()
    color = painter.palette.draw("soil", 0.05)
    gravel = Surface(Land.BACKGROUND, (color[0] * 0.78, color[1] * 0.78, color[2] * 0.8), fine=0.12)
    painter.rect(rect, gravel)
    wood = Surface(Land.BACKGROUND, (0.27, 0.24, 0.22))
    steel = Surface(Land.BACKGROUND, (0.62, 0.60, 0.58))
    angle = 0.0 if street.horizontal else np.pi / 2
    along = np.arange(street.start, street.end, 20.0)
    for offset in (-street.width / 4, street.width / 4):
        for place in np.arange(street.start, street.end, 4.0).tolist():
            center = street.points(np.array([place]), offset)[0]
            painter.polygon(box((center[0], center[1]), 1.6, 6.0, angle), wood)
        for rail in (-1.5, 1.5):
            painter.line(street.points(along, offset + rail), steel)
