"""A row of dots on a common axis: single jobs, their mean and their spread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from terrashot.reporting.ablation import Spread
from terrashot.reporting.html import formats
from terrashot.reporting.html.line_chart import nice_ticks


@dataclass(frozen=True)
class Axis:
    """An axis in percent (scores) or points (differences), from its first to its last tick."""

    ticks: list[float]

    @classmethod
    def around(cls, values: Sequence[float], *, zero: bool = False) -> "Axis":
        """Round limits around values from 0 to 1 (nan left out); with ``zero``, 0 among them."""
        known = [100 * value for value in values if math.isfinite(value)]
        known += [0.0] if zero or not known else []
        return cls(nice_ticks(min(known), max(known), most=4))

    def at(self, value: float) -> float:
        """Where a value from 0 to 1 lies, in percent of the axis' length."""
        low, high = self.ticks[0], self.ticks[-1]
        return round(100 * (100 * value - low) / (high - low), 2)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Place and text of each tick."""
        return [
            (self.at(tick / 100), f"{tick:g}".replace("-", "\N{MINUS SIGN}")) for tick in self.ticks
        ]


@dataclass(frozen=True)
class Strip:
    """Places in percent of the axis' length; None for what there is not."""

    dots: list[tuple[float, str]]
    mean: float | None
    low: float | None
    high: float | None
    zero: float | None


def strip(
    values: Sequence[tuple[float, str]], spread: Spread, axis: Axis, *, zero: bool = False
) -> Strip:
    """Lay out the values of one option.

    Args:
        values: number from 0 to 1 and what it is, of each job or pair.
        spread: their mean and standard deviation.
        axis: common to all options.
        zero: mark the 0 of the axis.
    """
    dots = [
        (axis.at(value), f"{name}: {formats.points(value) if zero else formats.percent(value)}")
        for value, name in values
        if math.isfinite(value)
    ]
    mean = axis.at(spread.mean) if formats.known(spread.mean) else None
    low = high = None
    if mean is not None and formats.known(spread.deviation):
        low = max(0.0, axis.at(spread.mean - spread.deviation))
        high = min(100.0, axis.at(spread.mean + spread.deviation))
    return Strip(dots, mean, low, high, axis.at(0.0) if zero else None)
