"""What happens to a tile before the network sees it, in training and in evaluation."""

import math

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from terrashot.data.nearest import opencv_nearest
from terrashot.data.photometry import add_noise, blur, jitter_colors, multiply_noise
from terrashot.data.windows import Window
from terrashot.errors import ConfigError
from terrashot.taxonomy import IGNORE

# Lowest and highest value of a setting; 0 and 1 for those that do not stand here.
_LIMITS = {
    "crop": (1, 16384),
    "scale": (0, 0.9),
    "rotation": (0, 180),
    "blur_sigma": (0, 50),
}


class TrainTransform:
    """A random square crop of a tile: scaled, turned, shifted, flipped, with noise and colours.

    Same result as padding the tile to the crop size, an affine map of the whole tile about its
    middle, and a random crop of that, but only the crop's pixels are computed. Whatever lies
    beyond the tile becomes ``IGNORE``, never a class. All draws come from torch's global
    generator.

    Args:
        crop: side of the crop in pixels.
        scale: sizes change by a factor from 1 - scale to 1 + scale.
        shift: the tile moves by up to this share of its sides.
        rotation: the tile turns by up to this many degrees either way.
        affine_p: probability of scale, shift and rotation (together).
        hflip_p: probability of a left-right flip.
        vflip_p: probability of an upside-down flip.
        rot90_p: probability of a turn by 90, 180 or 270 degrees.
        noise_p: probability of one of Gaussian noise, multiplicative noise and blur.
        noise_std: largest standard deviation of the Gaussian noise, of pixel values in 0..1.
        noise_gain: largest deviation of the multiplicative noise from 1.
        blur_sigma: largest blur in pixels.
        brightness: factor from 1 - brightness to 1 + brightness.
        contrast: the same for contrast.
        saturation: the same for saturation, where the image has colours.
        rgb: channels that are red, green and blue, counted from 0; None: no channel is a colour.

    Raises:
        ConfigError: a probability outside 0..1, or a size or a limit that makes no sense.
    """

    def __init__(
        self,
        crop: int = 256,
        scale: float = 0.0,
        shift: float = 0.0,
        rotation: float = 0.0,
        affine_p: float = 0.0,
        hflip_p: float = 0.0,
        vflip_p: float = 0.0,
        rot90_p: float = 0.0,
        noise_p: float = 0.0,
        noise_std: float = 0.03,
        noise_gain: float = 0.1,
        blur_sigma: float = 1.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        rgb: tuple[int, int, int] | None = (0, 1, 2),
    ) -> None:
        self.crop = crop
        self.scale, self.shift, self.rotation, self.affine_p = scale, shift, rotation, affine_p
        self.hflip_p, self.vflip_p, self.rot90_p = hflip_p, vflip_p, rot90_p
        self.noise_p, self.noise_std, self.noise_gain = noise_p, noise_std, noise_gain
        self.blur_sigma = blur_sigma
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        for name, value in vars(self).items():
            lowest, highest = _LIMITS.get(name, (0, 1))
            if not lowest <= value <= highest:
                raise ConfigError(
                    f"augmentation.{name} is {value}, but it must lie from {lowest} to {highest}. "
                    "See the comments in configs/augmentation/default.yaml."
                )
        self.rgb = rgb

    def __call__(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Transform a tile.

        Args:
            image: bytes or floats in 0..1 [C, H, W], any size.
            mask: uint8 [H, W].

        Returns:
            image float32 [C, crop, crop] in 0..1 and mask uint8 [crop, crop].
        """
        image, mask = image.as_subclass(Tensor), mask.as_subclass(Tensor)
        window = self._draw_window(*mask.shape)
        image, mask = window.cut(image, mask)
        if _happens(self.hflip_p):
            image, mask = image.flip(-1), mask.flip(-1)
        if _happens(self.vflip_p):
            image, mask = image.flip(-2), mask.flip(-2)
        if _happens(self.rot90_p):
            turns = _whole(1, 3)
            image, mask = image.rot90(turns, (-2, -1)), mask.rot90(turns, (-2, -1))
        if self.brightness or self.contrast or self.saturation:
            limits = (self.brightness, self.contrast, self.saturation)
            bright, contrast, saturated = (_between(1 - limit, 1 + limit) for limit in limits)
            image = jitter_colors(image, bright, contrast, saturated, self.rgb)
        if _happens(self.noise_p):
            kind = _whole(0, 2)
            if kind == 0:
                image = add_noise(image, _between(0, self.noise_std))
            elif kind == 1:
                image = multiply_noise(image, self.noise_gain)
            else:
                image = blur(image, _between(0.3 * self.blur_sigma, self.blur_sigma))
        return image.contiguous(), mask.contiguous()

    def _draw_window(self, height: int, width: int) -> Window:
        """Draw where the crop lies in the tile, and how it is turned and scaled."""
        # The crop's middle in the tile as it is after the affine map. A tile smaller than the
        # crop is padded, so it then lies in the middle.
        x, y = (
            side / 2 if side <= self.crop else _whole(0, side - self.crop) + self.crop / 2
            for side in (width, height)
        )
        if not _happens(self.affine_p):
            return Window(self.crop, (x, y))
        angle = _between(-self.rotation, self.rotation)
        scale = _between(1 - self.scale, 1 + self.scale)
        x -= width / 2 + _between(-self.shift, self.shift) * width
        y -= height / 2 + _between(-self.shift, self.shift) * height
        cos, sin = math.cos(math.radians(angle)) / scale, math.sin(math.radians(angle)) / scale
        back_x = width / 2 + cos * x + sin * y
        back_y = height / 2 - sin * x + cos * y
        # The middle stays on the tile: a long tile turned about its own middle could otherwise
        # give a crop without a single pixel of it.
        center = (min(max(back_x, 0.0), float(width)), min(max(back_y, 0.0), float(height)))
        return Window(self.crop, center, angle, scale)


class EvalTransform:
    """A tile at its own size, or as the challenge evaluates it: longest side resized, padded.

    Args:
        size: side of the square output in pixels, None for the tile's own size.
        nearest: how labels are resized: ``exact``, by the pixel under the new pixel's centre, or
            ``opencv``, as the scores of ClassTrans were taken (``opencv_nearest``).
    """

    def __init__(self, size: int | None = None, nearest: str = "exact") -> None:
        self.size = size
        self.nearest = nearest

    def __call__(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Transform a tile: [C, H, W] and uint8 [H, W] in, the same types and fewer pixels out."""
        return self.image(image), self.mask(mask)

    def image(self, image: Tensor) -> Tensor:
        """The image alone."""
        image = image.as_subclass(Tensor)
        sides, padding = self._sides(image)
        if tuple(sides) != tuple(image.shape[1:]):
            image = F.resize(image, sides, antialias=True)
        return F.pad(image, padding, fill=0) if any(padding) else image

    def mask(self, mask: Tensor) -> Tensor:
        """The mask alone."""
        mask = mask.as_subclass(Tensor)
        sides, padding = self._sides(mask)
        if tuple(sides) != tuple(mask.shape):
            mask = self._resized(mask, sides)
        return F.pad(mask[None], padding, fill=IGNORE)[0] if any(padding) else mask

    def tile_part(self, ids: Tensor, size: tuple[int, int]) -> Tensor:
        """The part of a map [h, w] of the transformed tile that is the tile, without padding.

        Args:
            ids: as large as the transformed tile.
            size: height and width of the tile itself.
        """
        height, width = self.part_size(*size)
        return ids[:height, :width]

    def part_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of that part, of a tile of this size."""
        sides = self._sides_of(height, width)[0]
        return sides[0], sides[1]

    def tile_size(self, ids: Tensor, size: tuple[int, int]) -> Tensor:
        """The map [h, w] of a transformed tile at the tile's own ``size``, nearest neighbour."""
        part = self.tile_part(ids, size)
        if tuple(part.shape) == tuple(size):
            return part
        return self._resized(part, list(size))

    def _resized(self, ids: Tensor, sides: list[int]) -> Tensor:
        if self.nearest == "opencv":
            return opencv_nearest(ids, (sides[0], sides[1]))
        # NEAREST_EXACT: torch's older "nearest" shifts a mask by half a pixel.
        return F.resize(ids[None], sides, InterpolationMode.NEAREST_EXACT)[0]

    def _sides(self, pixels: Tensor) -> tuple[list[int], list[int]]:
        """Height and width after resizing, and the padding left, above, right and below."""
        height, width = pixels.shape[-2:]
        return self._sides_of(height, width)

    def _sides_of(self, height: int, width: int) -> tuple[list[int], list[int]]:
        if self.size is None:
            return [height, width], [0, 0, 0, 0]
        ratio = self.size / max(height, width)
        sides = [max(1, round(height * ratio)), max(1, round(width * ratio))]
        return sides, [0, 0, self.size - sides[1], self.size - sides[0]]


def _happens(probability: float) -> bool:
    return bool(torch.rand(()).item() < probability)


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()).item())


def _whole(low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, ()).item())
