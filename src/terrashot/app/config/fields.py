"""Which keys the Settings of a task have, and in which range their numbers lie."""

import typing
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any

from terrashot.errors import ConfigError
from terrashot.ranges import check_range

BOUNDS = ("at_least", "at_most", "above", "below")


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

    Numbers of parts with a ``_target_`` have theirs in the class that takes them; here they are
    finite, as every number of a configuration.

    Raises:
        ConfigError: the first that lies outside of it.
    """
    for key, item, value in values_of(settings):
        choices = item.metadata.get("choices")
        if value is not None and choices and value not in choices:
            raise ConfigError(f"{key} is '{value}', but it must be one of {', '.join(choices)}.")
        if _is_number(value):
            bounds = {name: item.metadata[name] for name in BOUNDS if name in item.metadata}
            check_range(key, value, why=item.metadata.get("why", ""), **bounds)
        for inner, number in _numbers(key, value):
            check_range(inner, number)


def _numbers(key: str, value: Any) -> Iterator[tuple[str, float]]:  # noqa: ANN401 - plain values
    """Key and value of every number within a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(f"{key}.{name}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _numbers(f"{key}[{number}]", inner)
    elif _is_number(value):
        yield key, value


def _is_number(value: Any) -> bool:  # noqa: ANN401 - plain values
    return isinstance(value, int | float) and not isinstance(value, bool)
