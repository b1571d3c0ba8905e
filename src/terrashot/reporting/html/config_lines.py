"""A resolved configuration as lines of ``key: value``, the keys as the command line takes them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ConfigLine:
    """One setting."""

    key: str
    value: str


def config_lines(config: object) -> list[ConfigLine]:
    """All leaves of nested dictionaries; lists of plain values stay on one line."""
    return [ConfigLine(key, value) for key, value in _leaves("", config)]


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - YAML values
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(f"{key}.{name}" if key else str(name), part)
    elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        for number, part in enumerate(value):
            yield from _leaves(f"{key}.{number}", part)
    else:
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
