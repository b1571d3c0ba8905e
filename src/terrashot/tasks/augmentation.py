"""The augmentation of a run from its group of the configuration."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from terrashot.errors import ConfigError

T = TypeVar("T")


def build_augmentation(
    kind: Callable[..., T],
    config: Mapping[str, Any],
    example: str,
    **known: Any,  # noqa: ANN401 - as the class has it
) -> T:
    """Build the augmentation of a task.

    Args:
        kind: Its class.
        config: The settings of ``augmentation``.
        example: An option of the group with the same settings.
        known: Further arguments, which do not come from the configuration.

    Raises:
        ConfigError: a setting that ``kind`` does not know, or a value that it refuses.
    """
    try:
        return kind(**config, **known)
    except TypeError as error:
        raise ConfigError(
            f"augmentation: {error}. Compare its settings with augmentation={example}."
        ) from error
