"""The classes of a page: those of the network, and the ones that are drawn."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from terrashot.annotation.errors import RefusedError

_LONGEST = 80
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class PageClass:
    """A class that can be drawn.

    Args:
        name: Its name.
        color: ``#rrggbb``.
        is_base: Whether the network knows it; such a class keeps its name.
    """

    name: str
    color: str
    is_base: bool


def clean_name(name: object) -> str:
    """A name as a class can have it.

    Raises:
        RefusedError: it is none.
    """
    if not isinstance(name, str):
        raise RefusedError("The name of a class is a text.")
    found = unicodedata.normalize("NFC", " ".join(name.split()))
    if not found:
        raise RefusedError("A class needs a name.")
    if len(found) > _LONGEST:
        raise RefusedError(
            f"The name of a class has at most {_LONGEST} signs; this one has {len(found)}."
        )
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Co", "Cn") for sign in found):
        raise RefusedError("The name of a class holds a sign that cannot be shown.")
    return found


def check_color(color: object) -> str:
    """A colour as a class can have it.

    Raises:
        RefusedError: it is none.
    """
    if not isinstance(color, str) or not _COLOR.fullmatch(color):
        raise RefusedError("A colour is written as #rrggbb.")
    return color.lower()


def free_color(palette: Sequence[str], taken: Iterable[str]) -> str:
    """The colour of a palette that is least like all that classes have, the first of several."""
    used = list(taken)
    return max(palette, key=lambda color: min((_unlike(color, u) for u in used), default=0.0))


def _unlike(first: str, second: str) -> float:
    """How far two colours are apart for the eye, squared (the low-cost "redmean" metric)."""
    (r0, g0, b0), (r1, g1, b1) = (
        tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in (first, second)
    )
    red = (r0 + r1) / 512
    return (2 + red) * (r0 - r1) ** 2 + 4 * (g0 - g1) ** 2 + (3 - red) * (b0 - b1) ** 2
