"""Checks of the settings that estimators share."""

from terrashot.errors import ConfigError


def checked_temperature(temperature: float) -> float:
    """The temperature of a softmax over cosines.

    Raises:
        ConfigError: it is not above 0.
    """
    if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise ConfigError(
            f"similarity.temperature is {temperature}, but it must be a number above 0: cosines "
            "are divided by it before the softmax. Small values single out the nearest base class."
        )
    return float(temperature)
