"""From plain settings with a ``_target_`` to the object that it names; needs no Hydra."""

import importlib
from collections.abc import Mapping
from typing import Any

from terrashot.errors import ConfigError, TerrashotError, one_line

TARGET = "_target_"


def build_part(group: str, config: Mapping[str, Any] | None, **extra: Any) -> Any:  # noqa: ANN401 - whatever _target_ names
    """Build the object that a group's ``_target_`` names; None where the group is null.

    Settings that have a ``_target_`` themselves are built first. This is the part of Hydra's
    ``instantiate`` that the configurations use.

    Args:
        group: The group's name, for messages.
        config: Its settings, plain values.
        extra: Further arguments, taken as they are.

    Raises:
        ConfigError: no such class, an option that it does not know, or a value that it refuses.
    """
    if config is None:
        return None
    try:
        return _target(config)(**_arguments(config), **extra)
    except TerrashotError:
        raise
    except Exception as error:  # whatever the class makes of foreign values
        raise ConfigError(
            f"{group}: {config.get(TARGET)} can't be built from its settings "
            f"({one_line(error, 400)}). Compare them with configs/{group}/."
        ) from error


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): _built(value) for key, value in config.items() if key != TARGET}


def _built(value: Any) -> Any:  # noqa: ANN401 - plain values
    if isinstance(value, Mapping):
        made = _arguments(value)
        return _target(value)(**made) if TARGET in value else made
    return [_built(item) for item in value] if isinstance(value, list | tuple) else value


def _target(config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a class
    module, _, name = str(config[TARGET]).rpartition(".")
    return getattr(importlib.import_module(module), name)
