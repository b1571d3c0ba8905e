"""Open land: crop fields, meadows, bare soil, woods and lakes."""

import numpy as np

from terrashot.demo.canvas import Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Rect
from terrashot.demo.painter import Painter
from terrashot.demo.palette import scaled


def grass_surface(painter: Painter, label: Land = Land.RANGELAND) -> Surface:
    """Rough grass: fine and medium mottling in the scene's own grass colour."""
    color = painter.palette.near(painter.palette.grass, 0.07)
    return Surface(label, color, fine=0.07, medium=0.07, coarse=0.04, tint=(0.026, 0.008, 0.004))


def blob(painter: Painter, rect: Rect, rough: float = 0.18) -> np.ndarray:
    """A rounded closed outline [N, 2] that about fills the rectangle."""
    rng = painter.rng
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = np.ones_like(angle)
    for order in range(2, 7):
        wave = np.cos(order * angle + rng.uniform(0, 2 * np.pi))
        radius += rough * rng.normal() / order * wave
    radius = np.clip(radius / radius.max(), 0.3, 1.0)
    # A squircle rather than an ellipse, so that it uses the corners of the block too.
    stretch = (np.abs(np.cos(angle)) ** 3 + np.abs(np.sin(angle)) ** 3) ** (-1 / 3)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1) * (radius * stretch)[:, None]
    middle = np.array([rect.left + rect.right, rect.top + rect.bottom]) / 2
    return middle + circle * np.array([rect.width, rect.height]) / 2


def paint_field(painter: Painter, rect: Rect) -> None:
    """Crops in strips: plant rows, and tramlines where machines drive."""
    rng = painter.rng
    along_u = painter.chance(0.5)
    strips = int(rng.integers(1, 4)) if min(rect.width, rect.height) > 90 else 1
    edges = np.linspace(*((rect.top, rect.bottom) if along_u else (rect.left, rect.right)),
                        strips + 1)  # fmt: skip
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if along_u:
            strip = rect._replace(top=low, bottom=high)
        else:
            strip = rect._replace(left=low, right=high)
        kx, ky = painter.frame.row_vector(along_u, rng.uniform(4.2, 8.5))
        surface = Surface(
            Land.AGRICULTURE,
            painter.palette.draw("crop", 0.09),
            fine=0.035,
            medium=0.03,
            coarse=0.05,
            tint=(0.02, 0.012, 0.0),
            rows=(kx, ky, rng.uniform(0.13, 0.25)),
        )
        painter.rect(strip, surface)
        track = Surface(Land.AGRICULTURE, scaled(surface.color, 0.74), fine=0.05)
        start, end = (strip.left, strip.right) if along_u else (strip.top, strip.bottom)
        along = np.arange(start, end, 20.0)
        for position in np.arange(low + 14, high - 8, rng.uniform(34, 52)).tolist():
            for offset in (0.0, 4.0):
                across = np.full_like(along, position + offset)
                points = np.stack([along, across] if along_u else [across, along], 1)
                painter.line(points, track)
    if painter.chance(0.3):
        side = rect._replace(bottom=rect.top + 9)
        painter.trees(painter.points_in(side, 9), (3.5, 6.0))


def paint_meadow(painter: Painter, rect: Rect) -> None:
    """Rough grass with a few bushes, and sometimes a footpath."""
    painter.rect(rect, grass_surface(painter))
    rng = painter.rng
    if painter.chance(0.4):
        surface = Surface(Land.BARELAND, painter.palette.draw("soil"), fine=0.06, medium=0.05)
        along = np.linspace(rect.left, rect.right, 12)
        across = rng.uniform(rect.top, rect.bottom) + 8 * np.sin(along / rng.uniform(20, 40))
        points = np.stack([along, np.clip(across, rect.top + 3, rect.bottom - 3)], 1)
        painter.line(points, surface, width=int(rng.integers(3, 6)))
    points = painter.points_in(rect.inset(5), rng.uniform(26, 60))
    painter.trees(points[: int(len(points) * rng.uniform(0.2, 0.9))], (2.5, 7.0))


def paint_bare(painter: Painter, rect: Rect) -> None:
    """Bare soil: blotches, heaps and wheel tracks, no rows."""
    rng = painter.rng
    painter.rect(rect, grass_surface(painter))
    color = painter.palette.draw("soil", 0.08)
    soil = Surface(
        Land.BARELAND, color, fine=0.10, medium=0.06, coarse=0.09, tint=(0.025, 0.018, 0.01)
    )
    if painter.chance(0.6):  # a building site ends at its fence, an eroded patch does not
        painter.rect(rect.inset(rng.uniform(0, 6)), soil)
    else:
        painter.polygon(blob(painter, rect, rough=0.35), soil)
    for factor in rng.uniform(0.8, 1.2, int(rng.integers(2, 6))).tolist():
        x = rng.uniform(rect.left + 15, rect.right - 15)
        y = rng.uniform(rect.top + 15, rect.bottom - 15)
        size = rng.uniform(6, 16)
        heap = Rect(x - size, y - size, x + size, y + size)
        patch = Surface(Land.BARELAND, scaled(color, factor), fine=0.08, medium=0.12)
        painter.polygon(blob(painter, heap), patch, height=3.0 if factor > 1.05 else 0.0)
    track = Surface(Land.BARELAND, scaled(color, 0.78), fine=0.06, medium=0.1)
    start, end = rng.uniform(0.2, 0.8, 2)
    along = np.linspace(rect.left + 12, rect.right - 12, 14)
    middle = rect.top + rect.height * np.linspace(start, end, 14) + 7 * np.sin(along / 23)
    for offset in (0.0, 4.0):
        painter.line(np.stack([along, middle + offset], 1), track, width=2)


def paint_wood(painter: Painter, rect: Rect, glade: float = 0.25) -> None:
    """Crown beside crown over dark ground, sometimes with a glade."""
    painter.rect(rect, grass_surface(painter))
    spacing = painter.rng.uniform(8.0, 11.5)
    points = painter.points_in(rect.inset(2), spacing)
    if painter.chance(glade):
        center = np.array([painter.rng.uniform(rect.left, rect.right),
                           painter.rng.uniform(rect.top, rect.bottom)])  # fmt: skip
        points = points[np.hypot(*(points - center).T) > painter.rng.uniform(25, 45)]
    painter.trees(points, (0.5 * spacing, 0.85 * spacing), floor=True)


def paint_lake(painter: Painter, rect: Rect) -> None:
    """A lake with a shore of grass or sand and trees along it."""
    rng = painter.rng
    painter.rect(rect, grass_surface(painter))
    outline = blob(painter, rect.inset(8))
    middle = outline.mean(0)
    shore_color = painter.palette.draw("soil") if painter.chance(0.5) else None
    if shore_color is not None:
        shore = Surface(Land.BARELAND, shore_color, fine=0.05, medium=0.08)
        painter.polygon(middle + (outline - middle) * 1.05, shore)
    kx, ky = painter.frame.row_vector(painter.chance(0.5), rng.uniform(5, 9))
    water = Surface(
        Land.WATER,
        painter.palette.draw("water", 0.1),
        fine=0.008,
        medium=0.012,
        coarse=0.07,
        rows=(kx, ky, rng.uniform(0.0, 0.012)),
    )
    painter.polygon(outline, water)
    if painter.chance(0.35):
        plank = Surface(Land.BACKGROUND, painter.palette.draw("paving"))
        for shore_point in outline[rng.integers(0, len(outline), 2)]:
            painter.line(np.stack([shore_point, shore_point * 0.8 + middle * 0.2]), plank, width=4)
    trees = middle + (outline - middle) * rng.uniform(1.04, 1.16, (64, 1))
    painter.trees(trees[rng.random(64) < rng.uniform(0.1, 0.6)], (3.0, 6.5))
