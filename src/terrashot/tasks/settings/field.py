"""A field of a settings class: its default, its range, and what it is to a run."""

from collections.abc import Sequence
from dataclasses import MISSING, field
from typing import Any

REQUIRED: Any = "???"
"""Stands for a value that a config file or the command line has to give."""


def setting(
    default: Any = MISSING,  # noqa: ANN401 - of any type
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
    neutral: bool = False,
    path: bool | Sequence[str] = False,
    factory: Any = MISSING,  # noqa: ANN401 - makes the default
    why: str = "",
) -> Any:  # noqa: ANN401 - a dataclass field
    """A field of a settings class with its range.

    Args:
        default: The value where the configuration has none.
        at_least: Smallest value.
        at_most: Largest value.
        above: The value lies above this.
        below: The value lies below this.
        choices: The words that are allowed.
        neutral: Whether no score depends on it: place, machine or looks of a run.
        path: Whether the value is a path, so that it may have any signs on the command line; of a
            dictionary: the keys whose value is a path or something else (``rules.*.folder``); of
            a value that may be a list of paths: ``("",)``.
        factory: Makes the default, in place of ``default``.
        why: What the number is, and what to do about a wrong one, for the error.
    """
    bounds = {"at_least": at_least, "at_most": at_most, "above": above, "below": below}
    metadata: dict[str, Any] = {k: v for k, v in bounds.items() if v is not None}
    metadata |= {"neutral": neutral, "choices": tuple(choices), "path": path, "why": why}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)
