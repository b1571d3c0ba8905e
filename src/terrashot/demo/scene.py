"""A whole scene: a theme decides which uses its blocks of land have."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from terrashot.demo.buildings import paint_hall, paint_residential
from terrashot.demo.camera import photograph
from terrashot.demo.frame import Rect, divide
from terrashot.demo.landscape import (
    grass_surface,
    paint_bare,
    paint_field,
    paint_lake,
    paint_meadow,
    paint_wood,
)
from terrashot.demo.painter import Painter
from terrashot.demo.parking import paint_parking, paint_trailers
from terrashot.demo.paved import paint_plaza, paint_yard, paving_surface
from terrashot.demo.roads import paint_railway, paint_streets
from terrashot.demo.sports import paint_sports


def paint_commercial(painter: Painter, rect: Rect) -> None:
    """A hall on paved ground with its car park or its loading yard."""
    painter.rect(rect, paving_surface(painter))
    share = painter.rng.uniform(0.55, 0.68)
    if rect.width >= rect.height:
        cut = rect.left + rect.width * share
        hall, rest = rect._replace(right=cut), rect._replace(left=cut)
    else:
        cut = rect.top + rect.height * share
        hall, rest = rect._replace(bottom=cut), rect._replace(top=cut)
    if painter.chance(0.65):
        paint_parking(painter, rest.inset(5))
    else:
        paint_trailers(painter, rest.inset(4))
    paint_hall(painter, hall.inset(painter.rng.uniform(7, 15)))


def paint_car_park(painter: Painter, rect: Rect) -> None:
    """A large car park."""
    painter.rect(rect, grass_surface(painter))
    paint_parking(painter, rect.inset(6))


def paint_quiet_car_park(painter: Painter, rect: Rect) -> None:
    """A large car park on a Sunday."""
    painter.rect(rect, grass_surface(painter))
    paint_parking(painter, rect.inset(6), occupancy=0.1)


def paint_lone_hall(painter: Painter, rect: Rect) -> None:
    """A hall on paved ground and nothing else."""
    painter.rect(rect, paving_surface(painter))
    paint_hall(painter, rect.inset(painter.rng.uniform(12, 32)))


def paint_depot(painter: Painter, rect: Rect) -> None:
    """A haulier's yard: rows of trucks and trailers on paved ground."""
    painter.rect(rect, paving_surface(painter))
    yard = rect.inset(8)
    rows = max(1, int((yard.bottom - yard.top) / 52))
    for row in range(rows):
        top = yard.top + row * (yard.bottom - yard.top) / rows
        paint_trailers(painter, yard._replace(top=top, bottom=top + 44), share=0.75)


USES: dict[str, Callable[[Painter, Rect], None]] = {
    "field": paint_field,
    "meadow": paint_meadow,
    "bare": paint_bare,
    "wood": paint_wood,
    "lake": paint_lake,
    "homes": paint_residential,
    "commercial": paint_commercial,
    "car_park": paint_car_park,
    "plaza": paint_plaza,
    "yard": paint_yard,
    "quiet_car_park": paint_quiet_car_park,
    "lone_hall": paint_lone_hall,
    "depot": paint_depot,
    "sports": paint_sports,
}


@dataclass(frozen=True)
class Theme:
    """Kind of a neighbourhood: weights of land uses, size of blocks (pixels), street network."""

    uses: dict[str, float]
    block: float
    street_width: float
    street_share: float
    urban: float
    railway: float


THEMES = {
    "rural": Theme({"field": 8, "meadow": 1.5, "wood": 2, "bare": 1.8, "lake": 0.7, "homes": 0.7},
                   185, 24, 0.35, 0.1, 0.15),
    "lakeside": Theme({"lake": 4, "wood": 2, "meadow": 1, "field": 2, "homes": 1, "bare": 0.8},
                      210, 24, 0.4, 0.2, 0.0),
    "suburb": Theme({"homes": 8, "meadow": 0.8, "wood": 1.0, "bare": 1.0, "sports": 0.35,
                     "car_park": 0.3, "plaza": 0.4, "lake": 0.3}, 145, 27, 1.0, 0.7, 0.0),
    "commercial": Theme({"commercial": 4, "car_park": 1.2, "depot": 1.2, "plaza": 0.7,
                         "yard": 0.4, "meadow": 0.6, "bare": 0.9, "wood": 0.4, "homes": 1.2},
                        185, 30, 0.9, 1.0, 0.2),
    "leisure": Theme({"sports": 3, "wood": 1.4, "meadow": 0.8, "car_park": 0.7, "homes": 1.3,
                      "lake": 0.6, "field": 0.6}, 195, 27, 0.8, 0.6, 0.0),
    # The tiles that teach one novel class show little of the others, as an annotator picks them.
    "depot": Theme({"depot": 5, "plaza": 1.0, "yard": 1.0, "meadow": 0.8, "bare": 0.8,
                    "wood": 0.4, "homes": 1.2}, 185, 30, 0.9, 1.0, 0.2),
    "car_parks": Theme({"quiet_car_park": 4, "plaza": 1.0, "yard": 1.0, "meadow": 0.8,
                        "bare": 0.8, "wood": 0.4, "homes": 1.2}, 185, 30, 0.9, 1.0, 0.2),
    "halls": Theme({"lone_hall": 5, "plaza": 1.0, "yard": 1.2, "meadow": 0.8, "bare": 0.8,
                    "wood": 0.4, "homes": 1.2}, 185, 30, 0.9, 1.0, 0.2),
}  # fmt: skip


def draw_scene(rng: np.random.Generator, height: int, width: int, theme: str) -> Painter:
    """Draw the surfaces of one scene; ``develop_scene`` makes the image of them."""
    plan = THEMES[theme]
    painter = Painter(rng, height, width)
    painter.canvas.fill(grass_surface(painter))
    reach = painter.frame.reach
    # The cuts start at a random place, so that the oldest street is not always in the middle.
    shift = rng.uniform(-0.25, 0.25, 2) * min(reach, 200)
    area = Rect(shift[0] - reach * 1.3, shift[1] - reach * 1.3,
                shift[0] + reach * 1.3, shift[1] + reach * 1.3)  # fmt: skip
    blocks, streets = divide(rng, area, plan.block, plan.street_width, plan.street_share)
    uses, weights = list(plan.uses), np.array(list(plan.uses.values()))
    for block in blocks:
        use = uses[int(rng.choice(len(uses), p=weights / weights.sum()))]
        if painter.visible(block):
            USES[use](painter, block)
    rails = [streets.pop(0)] if painter.chance(plan.railway) and streets else []
    paint_streets(painter, streets, plan.urban)
    for rail in rails:
        paint_railway(painter, rail)
    return painter


def develop_scene(painter: Painter) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a drawn scene: its image, uint8 [3, H, W], and its labels, uint8 [H, W]."""
    color, shade = painter.canvas.develop(painter.rng)
    return photograph(painter.rng, color, shade), painter.canvas.labels()


def render_scene(
    rng: np.random.Generator, height: int, width: int, theme: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one aerial scene.

    Args:
        rng: every choice comes from it; the same state gives the same scene.
        height: rows, in pixels of 0.35 m.
        width: columns.
        theme: a key of ``THEMES``; drawn when None.

    Returns:
        The image, uint8 [3, H, W], and its labels, uint8 [H, W] with ids of ``Land``.
    """
    names = list(THEMES)
    theme = theme or names[int(rng.integers(0, len(names)))]
    return develop_scene(draw_scene(rng, height, width, theme))
