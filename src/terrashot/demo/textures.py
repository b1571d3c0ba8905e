"""Periodic noise of several grain sizes, made once and cropped for each scene."""

from functools import cache

import numpy as np

NOISE_SIZE = 1024

# Spatial frequency band of each grain, in cycles over NOISE_SIZE pixels.
_BANDS = {"fine": (150.0, 420.0), "medium": (30.0, 110.0), "coarse": (4.0, 20.0)}


@cache
def _noise_tile(grain: str) -> np.ndarray:
    """One periodic noise field, float32 [NOISE_SIZE, NOISE_SIZE], mean 0, deviation 1."""
    low, high = _BANDS[grain]
    # Fixed seeds: scenes differ by where they crop and how they flip, not by the field itself.
    rng = np.random.default_rng([731, sorted(_BANDS).index(grain)])
    frequency = np.fft.fftfreq(NOISE_SIZE, 1.0 / NOISE_SIZE)
    radius = np.hypot(frequency[:, None], frequency[None, : NOISE_SIZE // 2 + 1])
    # A band with soft flanks; 1/f inside, which is what natural ground looks like.
    gain = np.exp(-((radius / high) ** 2)) * (1 - np.exp(-((radius / low) ** 2)))
    gain /= np.maximum(radius, 1.0)
    spectrum = np.fft.rfft2(rng.standard_normal((NOISE_SIZE, NOISE_SIZE))) * gain
    field = np.fft.irfft2(spectrum, s=(NOISE_SIZE, NOISE_SIZE))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def noise(rng: np.random.Generator, grain: str, height: int, width: int) -> np.ndarray:
    """A random crop of one grain.

    Args:
        rng: chooses offset and orientation.
        grain: ``fine`` (2 to 6 pixels), ``medium`` (10 to 30) or ``coarse`` (50 and more).
        height: rows wanted; beyond ``NOISE_SIZE`` the field repeats, without seams.
        width: columns wanted.

    Returns:
        float32 [height, width], mean 0 and deviation 1 over a whole period.
    """
    field = _noise_tile(grain)
    repeat = [-(-size // NOISE_SIZE) for size in (height, width)]
    if max(repeat) > 1:
        field = np.tile(field, (max(repeat), max(repeat)))
    room = len(field)
    top, left, flips = rng.integers(0, (room - height + 1, room - width + 1, 8)).tolist()
    if flips & 1:
        field = field[::-1]
    if flips & 2:
        field = field[:, ::-1]
    if flips & 4:
        field = field.T
    return field[top : top + height, left : left + width]
