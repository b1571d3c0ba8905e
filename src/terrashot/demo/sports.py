"""Sports grounds: football pitches, running tracks, tennis and ball courts."""

import numpy as np

from terrashot.demo.canvas import Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Rect
from terrashot.demo.landscape import grass_surface
from terrashot.demo.painter import Painter
from terrashot.demo.palette import scaled

_WHITE = Surface(Land.SPORTS_FIELD, (0.93, 0.94, 0.90), fine=0.02, medium=0.0, coarse=0.0)


def _centered(rect: Rect, width: float, height: float) -> Rect:
    u, v = (rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2
    return Rect(u - width / 2, v - height / 2, u + width / 2, v + height / 2)


def _ellipse(center: tuple[float, float], a: float, b: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 40)
    return np.array(center) + np.stack([a * np.cos(angle), b * np.sin(angle)], 1)


def _stadium(rect: Rect) -> np.ndarray:
    """A straight-sided oval that fills the rectangle, points [N, 2]."""
    radius = min(rect.width, rect.height) / 2
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1) * radius
    slack = np.array([rect.width, rect.height]) / 2 - radius
    middle = np.array([rect.left + rect.right, rect.top + rect.bottom]) / 2
    return middle + circle + np.sign(circle) * slack


def paint_pitch(painter: Painter, rect: Rect) -> None:
    """A football pitch that fills the rectangle: mown stripes, lines, circle, penalty areas."""
    long_u = rect.width >= rect.height
    # Watered and mown: greener than the rough grass around, in the same light.
    color = painter.palette.draw("turf")
    kx, ky = painter.frame.row_vector(not long_u, painter.rng.uniform(15, 24))
    turf = Surface(
        Land.SPORTS_FIELD, color, fine=0.025, medium=0.02, coarse=0.03, rows=(kx, ky, 0.12)
    )
    painter.rect(rect, turf)
    inner = rect.inset(5)
    _frame_line(painter, inner)
    u, v = (rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2
    size = min(inner.width, inner.height)
    if long_u:
        half = np.array([(u, inner.top), (u, inner.bottom)])
    else:
        half = np.array([(inner.left, v), (inner.right, v)])
    painter.line(half, _WHITE)
    painter.line(_ellipse((u, v), size * 0.14, size * 0.14), _WHITE)
    for scale in (0.58, 0.28):
        across, deep = size * scale, size * scale * 0.4
        if long_u:
            low = Rect(inner.left, v - across / 2, inner.left + deep, v + across / 2)
            high = low._replace(left=inner.right - deep, right=inner.right)
        else:
            low = Rect(u - across / 2, inner.top, u + across / 2, inner.top + deep)
            high = low._replace(top=inner.bottom - deep, bottom=inner.bottom)
        _frame_line(painter, low)
        _frame_line(painter, high)


def _frame_line(painter: Painter, rect: Rect) -> None:
    outline = rect.outline()
    painter.line(np.concatenate([outline, outline[:1]]), _WHITE)


def paint_track(painter: Painter, rect: Rect) -> None:
    """A running track around a pitch."""
    color = painter.palette.draw("court")
    lane = Surface(Land.SPORTS_FIELD, color, fine=0.025, medium=0.02)
    painter.polygon(_stadium(rect), lane)
    for margin in (3.0, 7.0, 11.0, 15.0):
        oval = _stadium(rect.inset(margin))
        painter.line(np.concatenate([oval, oval[:1]]), _WHITE)
    turf = Surface(Land.SPORTS_FIELD, painter.palette.draw("turf"), fine=0.03, medium=0.03)
    painter.polygon(_stadium(rect.inset(18.0)), turf)
    short = min(rect.width, rect.height) - 50
    inside = rect.inset(24.0)
    straight = max(rect.width, rect.height) - min(rect.width, rect.height) * 0.55
    if rect.width >= rect.height:
        paint_pitch(painter, _centered(inside, straight, short))
    else:
        paint_pitch(painter, _centered(inside, short, straight))


def paint_courts(painter: Painter, rect: Rect) -> None:
    """Tennis courts side by side, as many as fit."""
    court_color = painter.palette.draw("court")
    apron = painter.palette.near(court_color, 0.05)
    if painter.chance(0.4):
        apron = painter.palette.draw("court")
    long_v = rect.height >= rect.width
    across, along = (38.0, 72.0) if long_v else (72.0, 38.0)
    columns = max(1, min(4, int(rect.width / across)))
    rows = max(1, min(3, int(rect.height / along)))
    ground = _centered(rect, columns * across, rows * along)
    painter.rect(ground, Surface(Land.SPORTS_FIELD, apron, fine=0.02, medium=0.02))
    play = Surface(Land.SPORTS_FIELD, scaled(court_color, 1.06), fine=0.02, medium=0.015)
    length, width = 48.0, 22.0
    for column in range(columns):
        for row in range(rows):
            left = ground.left + column * across
            top = ground.top + row * along
            cell = Rect(left, top, left + across, top + along)
            court = _centered(cell, *((width, length) if long_v else (length, width)))
            painter.rect(court, play)
            u, v = (court.left + court.right) / 2, (court.top + court.bottom) / 2
            _frame_line(painter, court)
            if long_v:
                _frame_line(painter, Rect(court.left + 3, v - 13, court.right - 3, v + 13))
                painter.line(np.array([(court.left - 2, v), (court.right + 2, v)]), _WHITE)
                painter.line(np.array([(u, v - 13), (u, v + 13)]), _WHITE)
            else:
                _frame_line(painter, Rect(u - 13, court.top + 3, u + 13, court.bottom - 3))
                painter.line(np.array([(u, court.top - 2), (u, court.bottom + 2)]), _WHITE)
                painter.line(np.array([(u - 13, v), (u + 13, v)]), _WHITE)


def paint_sports(painter: Painter, rect: Rect) -> None:
    """A sports ground as large as the block allows, on grass with trees around."""
    painter.rect(rect, grass_surface(painter))
    inner = rect.inset(8)
    longest, shortest = max(inner.width, inner.height), min(inner.width, inner.height)
    if painter.chance(0.75):
        for side in (
            rect._replace(bottom=rect.top + 8), rect._replace(right=rect.left + 8),
        ):  # fmt: skip
            painter.trees(painter.points_in(side, 9), (3.0, 5.5))
    if shortest > 105 and longest > 150 and painter.chance(0.5):
        ratio = min(shortest, longest * 0.62)
        size = (longest, ratio) if inner.width >= inner.height else (ratio, longest)
        paint_track(painter, _centered(inner, *size))
    elif shortest > 75 and painter.chance(0.65):
        ratio = min(shortest, longest * 0.68)
        size = (longest, ratio) if inner.width >= inner.height else (ratio, longest)
        paint_pitch(painter, _centered(inner, *size))
    else:
        paint_courts(painter, inner)
