"""How a scene is seen: light, haze, colour cast, sharpness and noise of one flight."""

import numpy as np


def photograph(rng: np.random.Generator, color: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Turn colours in neutral light into an image; every scene has its own light and camera.

    Args:
        rng: draws the conditions.
        color: float32 [3, H, W], about 0..1.
        shade: float32 [H, W], 1 in shadow.

    Returns:
        uint8 [3, H, W].
    """
    height, width = shade.shape
    gain = np.exp(rng.normal(0.0, 0.11))
    cast = np.exp(rng.normal(0.0, 0.03, 3))
    haze = rng.uniform(0.0, 0.15)
    air = np.array([0.62, 0.67, 0.72]) * rng.uniform(0.85, 1.1)
    contrast = rng.uniform(0.9, 1.12)
    # Light falls off over a scene: view angle, thin cloud.
    slope = rng.normal(0.0, 0.04, 2)
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = np.float32(gain) * (1 + np.float32(slope[0]) * x + np.float32(slope[1]) * y)
    depth = np.array([0.62, 0.58, 0.50]) * rng.uniform(0.85, 1.1)  # shadows are bluish
    side = float(rng.uniform(0.12, 0.24))
    grain = np.float32(rng.uniform(0.007, 0.017))
    image = np.empty_like(color)
    for band in range(3):
        # Contrast turns about 0.42, haze mixes with the air's own colour: one gain, one offset.
        scale = contrast * (1 - haze)
        offset = 0.42 * (1 - contrast) * (1 - haze) + air[band] * haze
        seen = color[band] * light
        seen *= 1 - np.float32(depth[band]) * shade
        seen *= np.float32(scale * cast[band])
        seen += np.float32(offset)
        image[band] = _blur(seen, side)
        image[band] += rng.standard_normal((height, width), np.float32) * grain
    image *= 255
    image += 0.5
    return np.clip(image, 0, 255, out=image).astype(np.uint8)


def _blur(image: np.ndarray, side: float) -> np.ndarray:
    """Convolve [H, W] with (side, 1 - 2 side, side) both ways, edges repeated."""
    padded = np.pad(image, 1, mode="edge")
    weight, middle = np.float32(side), np.float32(1 - 2 * side)
    rows = padded[:-2] + padded[2:]
    rows *= weight
    rows += padded[1:-1] * middle
    blurred = rows[:, :-2] + rows[:, 2:]
    blurred *= weight
    blurred += rows[:, 1:-1] * middle
    return blurred
