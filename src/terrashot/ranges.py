"""The range of a number of a configuration, held where the number is taken in."""

import math
from collections.abc import Mapping

from terrashot.errors import ConfigError

_WORDS = {
    "at_least": "at least {}",
    "above": "above {}",
    "at_most": "at most {}",
    "below": "below {}",
}


def check_range(
    key: str, value: object, *, whole: bool = False, why: str = "", **bounds: float
) -> None:
    """Refuse what is no number, not finite, or out of its range.

    Args:
        key: Where the number stands: ``loss.gamma``.
        value: The number.
        whole: It must be a whole one.
        why: What the number is, and what to do about a wrong one.
        bounds: ``at_least``, ``at_most``, ``above``, ``below``.

    Raises:
        ConfigError: with key, value and range.
    """
    kind = int if whole else int | float
    if isinstance(value, kind) and not isinstance(value, bool) and _within(value, bounds):
        return
    words = [text.format(bounds[name]) for name, text in _WORDS.items() if name in bounds]
    named = "a whole number" if whole else "a number"
    expected = f"{named}, {' and '.join(words)}" if words else named
    raise ConfigError(f"{key} is {value}, but it must be {expected}{f': {why}' if why else ''}.")


def _within(value: float, bounds: Mapping[str, float]) -> bool:
    return (
        math.isfinite(value)
        and value >= bounds.get("at_least", -math.inf)
        and value <= bounds.get("at_most", math.inf)
        and value > bounds.get("above", -math.inf)
        and value < bounds.get("below", math.inf)
    )
