"""Paved and cluttered ground that belongs to no class of the map: background."""

import numpy as np

from terrashot.demo.canvas import Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Rect
from terrashot.demo.painter import Painter, box


def paving_surface(painter: Painter) -> Surface:
    """Concrete in slabs."""
    kx, ky = painter.frame.row_vector(painter.chance(0.5), painter.rng.uniform(9, 13))
    color = painter.palette.near(painter.palette.paving, 0.07)
    return Surface(Land.BACKGROUND, color, fine=0.03, medium=0.05, coarse=0.04, rows=(kx, ky, 0.02))


def paint_plaza(painter: Painter, rect: Rect) -> None:
    """A square: slabs with joints, planted trees, a ring in the middle."""
    rng = painter.rng
    surface = paving_surface(painter)
    painter.rect(rect, surface)
    joint = Surface(
        Land.BACKGROUND, (surface.color[0] * 0.8, surface.color[1] * 0.8, surface.color[2] * 0.8)
    )
    pitch = rng.uniform(11, 17)
    for u in np.arange(rect.left, rect.right, pitch).tolist():
        painter.line(np.array([(u, rect.top), (u, rect.bottom)]), joint)
    for v in np.arange(rect.top, rect.bottom, pitch).tolist():
        painter.line(np.array([(rect.left, v), (rect.right, v)]), joint)
    grid = np.stack(
        np.meshgrid(
            np.arange(rect.left + 14, rect.right - 10, 28),
            np.arange(rect.top + 14, rect.bottom - 10, 28),
        ),
        -1,
    ).reshape(-1, 2)
    painter.trees(grid[rng.random(len(grid)) < rng.uniform(0.15, 0.6)], (4.0, 6.5))


def paint_yard(painter: Painter, rect: Rect) -> None:
    """A storage yard: containers in rows, pallets, heaps of material."""
    rng = painter.rng
    ground = Surface(Land.BACKGROUND, painter.palette.paving, fine=0.08, medium=0.09, coarse=0.05)
    painter.rect(rect, ground)
    along = 0.0 if painter.chance(0.5) else np.pi / 2
    for u, v in painter.points_in(rect.inset(12), rng.uniform(17, 24)).tolist():
        if painter.chance(0.3):
            continue
        kind = painter.palette.draw("stores")
        item = Surface(Land.BACKGROUND, kind, fine=0.05)
        size = (rng.uniform(4, 9), rng.uniform(4, 9)) if painter.chance(0.6) else (20.0, 9.0)
        painter.polygon(box((u, v), *size, along + rng.normal(0, 0.12)), item, height=4.0)
