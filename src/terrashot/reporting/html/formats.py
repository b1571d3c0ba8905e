"""How numbers read in a report; what is not there is a dash."""

import math

DASH = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and math.isfinite(value)


def percent(share: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 in percent, without the sign."""
    return f"{100 * share:.{digits}f}" if share is not None and known(share) else DASH


def points(difference: float | None, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign."""
    if difference is None or not known(difference):
        return DASH
    text = f"{100 * abs(difference):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if difference > 0 else _MINUS) + text


def seconds(value: float | None) -> str:
    """Seconds with as many digits as mean something."""
    if value is None or not known(value):
        return DASH
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def count(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
