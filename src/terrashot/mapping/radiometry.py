"""From a sensor's numbers to the 8-bit pixels that the network was trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrashot.errors import ConfigError

PERCENTILE = "percentile"
_LOW, _HIGH = 2.0, 98.0


@dataclass(frozen=True)
class Stretch:
    """Linear from ``low`` to 0 and from ``high`` to 255, band by band; clipped beyond."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels [3, H, W] of any number type as uint8."""
        low = np.asarray(self.low, np.float32)[:, None, None]
        high = np.asarray(self.high, np.float32)[:, None, None]
        scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
        # A nan (nodata of a float raster) has no 8-bit value; it is masked anyway.
        return np.nan_to_num(np.rint(scaled)).clip(0, 255).astype(np.uint8)


def parse_scale(value: Any) -> tuple[float, float] | str | None:  # noqa: ANN401 - from a config
    """``input.scale``: None, ``[low, high]`` or ``percentile``.

    Raises:
        ConfigError: anything else.
    """
    if value is None or value == PERCENTILE:
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        numbers = [float(v) for v in value if isinstance(v, int | float)]
        if len(numbers) == 2 and numbers[0] < numbers[1]:
            return numbers[0], numbers[1]
    raise ConfigError(
        f"input.scale is {value!r}, but it must be [LOW, HIGH] with LOW below HIGH, the pixel "
        f"values that become 0 and 255, for example input.scale=[0,3000]; or {PERCENTILE}, which "
        f"takes the {_LOW:g}nd and {_HIGH:g}th percentile of each band of each scene."
    )


def stretch_of(
    scale: tuple[float, float] | str | None, sample: Callable[[], np.ndarray]
) -> Stretch | None:
    """The stretch that ``scale`` asks for.

    Args:
        scale: what ``parse_scale`` returned.
        sample: gives valid pixels of the scene [3, N]; called for percentiles only.
    """
    if scale is None:
        return None
    if isinstance(scale, tuple):
        return Stretch((scale[0],) * 3, (scale[1],) * 3)
    pixels = sample()
    if not pixels.shape[1]:
        return Stretch((0.0,) * 3, (1.0,) * 3)  # a scene of nodata alone
    low, high = np.percentile(pixels, [_LOW, _HIGH], axis=1)
    high = np.maximum(high, low + 1e-6)  # a band of one value
    return Stretch(tuple(map(float, low)), tuple(map(float, high)))  # type: ignore[arg-type]
