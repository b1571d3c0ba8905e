"""Changing a tile's pixel values: colours, noise, blur.

Nothing here sums floats over the image: a sum's rounding depends on the number of threads, and a
sample has to be bit-equal whether a worker or the main process makes it.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def jitter_colors(
    image: Tensor,
    brightness: float,
    contrast: float,
    saturation: float,
    rgb: tuple[int, int, int] | None = (0, 1, 2),
) -> Tensor:
    """Multiply brightness, contrast (about the mean grey) and saturation (about the own grey).

    Channels that are no colours, such as infrared, get the same light: brightness and contrast,
    about their own mean. They have no saturation.

    Args:
        image: float [C, H, W] in 0..1.
        brightness: factor; 1 changes nothing. The same for the other two.
        contrast: factor of the distance to the mean grey.
        saturation: factor of the distance to the pixel's grey.
        rgb: channels that are red, green and blue; None: none are.

    Returns:
        float [C, H, W] in 0..1.
    """
    if rgb == (0, 1, 2) and len(image) == 3:
        return _jitter_rgb(image, brightness, contrast, saturation)
    result = torch.empty_like(image)
    colors = [] if rgb is None else list(rgb)
    if colors:
        result[colors] = _jitter_rgb(image[colors], brightness, contrast, saturation)
    for channel in range(len(image)):
        if channel not in colors:
            result[channel] = _light(image[channel], _middle(image[channel]), brightness, contrast)
    return result


def _jitter_rgb(image: Tensor, brightness: float, contrast: float, saturation: float) -> Tensor:
    grey = image[0] * 0.299 + image[1] * 0.587 + image[2] * 0.114  # ITU-R BT.601
    middle = _middle(grey)
    image = image * saturation + grey * (1 - saturation)
    return _light(image, middle, brightness, contrast)


def _middle(grey: Tensor) -> float:
    levels = int((grey * 255).to(torch.int64).sum().item())  # whole numbers: exact in any order
    return levels / 255 / grey.numel()


def _light(values: Tensor, middle: float, brightness: float, contrast: float) -> Tensor:
    scaled = values * (contrast * brightness)
    return scaled.add_(brightness * middle * (1 - contrast)).clamp_(0, 1)


def add_noise(image: Tensor, std: float) -> Tensor:
    """Add Gaussian noise of standard deviation ``std`` to an image in 0..1."""
    return (image + torch.randn_like(image).mul_(std)).clamp_(0, 1)


def multiply_noise(image: Tensor, gain: float) -> Tensor:
    """Multiply each value of an image in 0..1 by a factor from 1 - gain to 1 + gain."""
    return (image * torch.empty_like(image).uniform_(1 - gain, 1 + gain)).clamp_(0, 1)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, float [C, H, W], edges repeated."""
    reach = max(1, math.ceil(2 * sigma))
    weights = [math.exp(-0.5 * (k / max(sigma, 1e-6)) ** 2) for k in range(-reach, reach + 1)]
    weights = [w / sum(weights) for w in weights]
    padded = F.pad(image[None], [reach] * 4, mode="replicate")[0]
    return _weigh(_weigh(padded, weights, axis=1), weights, axis=2)


def _weigh(values: Tensor, weights: list[float], axis: int) -> Tensor:
    """Weighted sum of neighbours along an axis, which becomes shorter by len(weights) - 1."""
    length = values.shape[axis] - len(weights) + 1
    total = values.narrow(axis, 0, length) * weights[0]
    for k, weight in enumerate(weights[1:], start=1):
        total.add_(values.narrow(axis, k, length), alpha=weight)
    return total
