"""Curves as the geometry of an SVG; the script adds the reading at the pointer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from terrashot.reporting.curves_figure import Curve

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 38
_MOST_POINTS = 400


@dataclass(frozen=True)
class Series:
    """One curve: the SVG's ``points``, and the values behind them for the reading."""

    name: str
    points: str
    values: list[tuple[float, float]]
    last: str
    dots: bool


@dataclass(frozen=True)
class Tick:
    """Where a tick stands and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class LineChart:
    """A chart with its axes."""

    title: str
    x_title: str
    series: list[Series]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    unit: str


def line_chart(
    title: str, x_title: str, curves: Mapping[str, Curve], *, shares: bool = False
) -> LineChart | None:
    """Lay out some curves; None where there is no point.

    Args:
        title: stands above.
        x_title: stands below.
        curves: points by name, x ascending.
        shares: values from 0 to 1, shown in percent.
    """
    scale = 100.0 if shares else 1.0
    kept = {
        name: [(x, scale * y) for x, y in _thinned(curve)]
        for name, curve in curves.items()
        if curve
    }
    if not kept:
        return None
    xs = [x for curve in kept.values() for x, _ in curve]
    ys = [y for curve in kept.values() for _, y in curve]
    x_ticks, y_ticks = nice_ticks(min(xs), max(xs)), nice_ticks(min(0.0, *ys), max(ys))
    x_range = (min(xs), max(max(xs), min(xs) + 1e-9))
    y_range = (y_ticks[0], y_ticks[-1])

    def at_x(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - x_range[0]) / (x_range[1] - x_range[0])

    def at_y(y: float) -> float:
        return (
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - y_range[0]) / (y_range[1] - y_range[0])
        )

    digits = 1 if shares else 3
    series = [
        Series(
            name,
            " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in curve),
            [(x, round(y, 4)) for x, y in curve],
            f"{curve[-1][1]:.{digits}f}",
            len(curve) <= 40,
        )
        for name, curve in kept.items()
    ]
    return LineChart(
        title=title,
        x_title=x_title,
        series=series,
        x_ticks=[Tick(at_x(x), f"{x:g}") for x in x_ticks if x_range[0] <= x <= x_range[1]],
        y_ticks=[Tick(at_y(y), f"{y:g}") for y in y_ticks],
        x_range=x_range,
        y_range=y_range,
        unit=" %" if shares else "",
    )


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, in steps of 1, 2 or 5."""
    span = max(high - low, 1e-9)
    raw = span / most
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _thinned(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most a few hundred points, the last among them: more are finer than a pixel."""
    step = math.ceil(len(curve) / _MOST_POINTS)
    kept = list(curve[::step])
    return kept if not curve or kept[-1] == curve[-1] else [*kept, curve[-1]]
