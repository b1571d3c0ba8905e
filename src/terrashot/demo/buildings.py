"""Houses with gabled and hipped roofs (type 1) and large flat halls (type 2)."""

import numpy as np

from terrashot.demo.canvas import Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Rect
from terrashot.demo.landscape import grass_surface
from terrashot.demo.painter import Painter, box
from terrashot.demo.palette import scaled


def paint_house(
    painter: Painter, center: tuple[float, float], length: float, width: float, angle: float
) -> None:
    """A pitched roof: a ridge along ``length``, facets lit by the way they face."""
    hip = width / 2 if painter.chance(0.35) else 0.0
    corners = box(center, length, width, angle)
    ridge_start, ridge_end = box(center, max(length - 2 * hip, 1.0), 0.0, angle)[:2]
    near_left, near_right, far_right, far_left = corners
    facets = [
        np.stack([near_left, near_right, ridge_end, ridge_start]),
        np.stack([far_right, far_left, ridge_start, ridge_end]),
    ]
    if hip:
        facets.append(np.stack([near_right, far_right, ridge_end]))
        facets.append(np.stack([far_left, near_left, ridge_start]))
    color = painter.palette.roof()
    outer = Surface(Land.BUILDING, scaled(color, 0.9), fine=0.04)
    painter.polygon(corners, outer, height=float(painter.rng.uniform(9, 15)))
    for facet in facets:
        light = painter.roof_light(facet)
        surface = Surface(Land.BUILDING, scaled(color, light), fine=0.045, medium=0.03, coarse=0.01)
        painter.polygon(facet, surface)
    ridge = Surface(Land.BUILDING, scaled(color, 1.16))
    painter.line(np.stack([ridge_start, ridge_end]), ridge)
    if painter.chance(0.6):
        share = painter.rng.uniform(0.2, 0.8)
        chimney = ridge_start + (ridge_end - ridge_start) * share
        stone = Surface(Land.BUILDING, (0.34, 0.31, 0.30))
        painter.polygon(box((chimney[0], chimney[1]), 2.5, 2.5, angle), stone, height=2.0)


def paint_residential(painter: Painter, rect: Rect) -> None:
    """Gardens with a row of houses along each long side, drives, hedges and trees."""
    rng = painter.rng
    painter.rect(rect, grass_surface(painter))
    along_u = rect.width >= rect.height
    start, end = (rect.left, rect.right) if along_u else (rect.top, rect.bottom)
    low, high = (rect.top, rect.bottom) if along_u else (rect.left, rect.right)
    lot = rng.uniform(35, 50)
    depth, stretch = rng.uniform(20, 27), rng.uniform(1.1, 1.45)
    if painter.chance(0.2):  # terraces and flats: long roofs, type 1 as well
        lot, stretch = lot * 2, stretch * 2.4
    sides = [(low, 1.0), (high, -1.0)] if high - low > 95 else [(low, 1.0)]
    garden = painter.points_in(rect.inset(6), rng.uniform(17, 26))
    painter.trees(garden[: int(len(garden) * rng.uniform(0.3, 0.8))], (2.5, 6.5))
    drive = Surface(Land.BACKGROUND, painter.palette.near(painter.palette.paving), fine=0.04)
    hedge = Surface(Land.TREE, scaled(painter.palette.leaf[0], 0.95), fine=0.15, medium=0.06)

    def turned(along: float, across: float) -> tuple[float, float]:
        return (along, across) if along_u else (across, along)

    for edge, inward in sides:
        setback = rng.uniform(8, 15)
        for place in np.arange(start + lot / 2, end - lot / 2 + 1, lot).tolist():
            if painter.chance(0.08):
                continue
            across = edge + inward * (setback + depth / 2)
            length = depth * stretch * rng.uniform(0.92, 1.12)
            spin = rng.normal(0, 0.05) + (np.pi / 2 if painter.chance(0.2) else 0)
            angle = (0.0 if along_u else np.pi / 2) + spin
            beside = place + length / 2 + 4.5
            run = setback + depth
            way = box(turned(beside, edge + inward * run / 2), run, 6.5, np.pi / 2 * along_u)
            painter.polygon(way, drive)
            if painter.chance(0.35):
                spot = turned(beside, edge + inward * setback * 0.8)
                painter.vehicle(spot, np.pi / 2 * along_u, rng.uniform(12.5, 14))
            paint_house(painter, turned(place, across), length, depth, angle)
            if painter.chance(0.3):
                behind = edge + inward * (setback + depth + 15)
                paint_house(painter, turned(place - 8, behind), 10, 8, angle)
            if painter.chance(0.4):
                border = box(
                    turned(place + lot / 2, edge + inward * 30), 48, 3, np.pi / 2 * along_u
                )
                painter.polygon(border, hedge, height=3.0)


def paint_hall(painter: Painter, rect: Rect) -> None:
    """A flat hall that fills the rectangle: parapet, seams, rooflights, vents."""
    rng = painter.rng
    color = painter.palette.draw("sheet", 0.08)
    along_u = rect.width >= rect.height
    kx, ky = painter.frame.row_vector(not along_u, rng.uniform(6, 10))
    roof = Surface(
        Land.HALL,
        color,
        fine=0.02,
        medium=0.025,
        coarse=0.03,
        rows=(kx, ky, rng.uniform(0.03, 0.07)),
    )
    rim = Surface(Land.HALL, scaled(color, 1.22 if sum(color) < 1.9 else 0.78), fine=0.01)
    painter.polygon(rect.outline(), rim, height=float(rng.uniform(14, 20)))
    painter.rect(rect.inset(2.5), roof)
    inner = rect.inset(9)
    if inner.width < 20 or inner.height < 20:
        return
    bright = painter.chance(0.5) and sum(color) < 1.8
    glass = Surface(Land.HALL, (0.84, 0.87, 0.88) if bright else (0.30, 0.34, 0.39), fine=0.01)
    pitch = rng.uniform(15, 21)
    for u in np.arange(inner.left, inner.right - 5, pitch).tolist():
        for v in np.arange(inner.top, inner.bottom - 5, pitch).tolist():
            spot = (u + 4, v + 4)
            length, width = (9.0, 3.5) if along_u else (3.5, 9.0)
            painter.polygon(box(spot, length, width, 0.0), glass)
    metal = Surface(Land.HALL, (0.74, 0.74, 0.73), fine=0.02)
    for u, v in painter.points_in(inner, 32)[: int(rng.integers(2, 7))].tolist():
        painter.polygon(box((u, v), rng.uniform(5, 9), rng.uniform(4, 7), 0.0), metal, height=4.0)
