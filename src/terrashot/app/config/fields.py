"""Which keys the Settings of a task have, and in which range their numbers lie."""

import typing
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any

from terrashot.errors import ConfigError


def field_types(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """The type of each field of a dataclass, by name."""
    return _types(kind)


@cache
def _types(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    hints = typing.get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}


def group_type(hint: Any) -> type | None:  # noqa: ANN401 - a type hint
    """The dataclass behind a type hint, ``X`` or ``X | None``; None for a plain value."""
    options = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return next((o for o in options if isinstance(o, type) and is_dataclass(o)), None)


def has_key(kind: type, key: str) -> bool:
    """Whether a Settings class has the dotted ``key``; what lies in a dictionary is not asked."""
    name, _, rest = key.partition(".")
    types = field_types(kind)
    if name not in types:
        return False
    inner = group_type(types[name])
    if not rest or inner is None:
        return not rest or _is_open(types[name])
    return has_key(inner, rest)


def _is_open(hint: Any) -> bool:  # noqa: ANN401 - a type hint
    """Whether a plain value may have keys of its own: a dictionary, or anything."""
    options = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return any(o is Any or o is dict or typing.get_origin(o) is dict for o in options)


def all_keys(kind: type, prefix: str = "") -> list[str]:
    """The dotted keys of a Settings class."""
    found = []
    for name, hint in field_types(kind).items():
        found.append(prefix + name)
        inner = group_type(hint)
        if inner is not None:
            found += all_keys(inner, f"{prefix}{name}.")
    return found


def values_of(settings: Any, prefix: str = "") -> Iterator[tuple[str, "Field[Any]", Any]]:  # noqa: ANN401 - a dataclass object
    """Key, field and value of every plain value of a Settings object."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        if is_dataclass(value):
            yield from values_of(value, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, item, value


def scored_values(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass object
    """The values of a Settings object by key, those left out that change no score."""
    neutral = {item.name for item in fields(settings) if item.metadata.get("neutral")}
    return {
        key: value
        for key, item, value in values_of(settings)
        if not item.metadata.get("neutral") and key.partition(".")[0] not in neutral
    }


def check_ranges(settings: Any) -> None:  # noqa: ANN401 - a dataclass object
    """Hold every number and word of the settings against its range.

    Raises:
        ConfigError: the first that lies outside of it.
    """
    for key, item, value in values_of(settings):
        choices = item.metadata.get("choices")
        if value is not None and choices and value not in choices:
            raise ConfigError(f"{key} is '{value}', but it must be one of {', '.join(choices)}.")
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not _in_range(value, item.metadata):
            why = item.metadata.get("why")
            text = f": {why}" if why else ""
            raise ConfigError(f"{key} is {value}, but it must be {_range(item.metadata)}{text}.")


def _in_range(value: float, bounds: Any) -> bool:  # noqa: ANN401 - a mapping of metadata
    return (
        value >= bounds.get("at_least", value)
        and value <= bounds.get("at_most", value)
        and ("above" not in bounds or value > bounds["above"])
        and ("below" not in bounds or value < bounds["below"])
        and value == value  # nan has no place in a configuration
    )


def _range(bounds: Any) -> str:  # noqa: ANN401 - a mapping of metadata
    words = {
        "at_least": "at least {}",
        "above": "above {}",
        "at_most": "at most {}",
        "below": "below {}",
    }
    return " and ".join(t.format(bounds[k]) for k, t in words.items() if k in bounds) or "a number"
