"""Checks of the settings that transitions share."""

from terrashot.errors import ConfigError


def checked_std(std: float) -> float:
    """The standard deviation of a random start.

    Raises:
        ConfigError: it is not above 0.
    """
    if not isinstance(std, int | float) or not 0 < std < float("inf"):
        raise ConfigError(
            f"transition.std is {std}, but it must be a number above 0: maps that are 0 next to a "
            "layer scale of 0 have no gradient and would stay 0. The published value is 0.01."
        )
    return float(std)
