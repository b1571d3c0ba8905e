"""Cutting a window out of a tile: scaled, turned and shifted in one step."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from terrashot.image_spec import as_unit
from terrashot.taxonomy import IGNORE


@dataclass(frozen=True)
class Window:
    """A square of ``size`` output pixels over a tile.

    Args:
        size: side of the output in pixels.
        center: (x, y) in the tile that the middle of the output shows, in tile pixels.
        angle: turn in degrees.
        scale: enlargement; 2 shows half as much of the tile, twice as large.
    """

    size: int
    center: tuple[float, float]
    angle: float = 0.0
    scale: float = 1.0

    def cut(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Read the window from a tile; beyond the tile the image is 0 and the mask is ``IGNORE``.

        Only the part of the tile under the window is touched, so the cost follows the window's
        size and not the tile's.

        Args:
            image: bytes or floats in 0..1 [C, H, W].
            mask: uint8 [H, W].

        Returns:
            image float32 [C, size, size] in 0..1 (bilinear), mask uint8 [size, size] (nearest).
        """
        if self.angle == 0 and self.scale == 1:
            return self._cut_straight(image, mask)
        size, radians = self.size, math.radians(self.angle)
        cos, sin = math.cos(radians) / self.scale, math.sin(radians) / self.scale
        left, right = self._extent(self.center[0], (abs(cos) + abs(sin)), mask.shape[1])
        top, bottom = self._extent(self.center[1], (abs(cos) + abs(sin)), mask.shape[0])
        width, height = right - left, bottom - top
        # From output coordinates in -1..1 to coordinates in -1..1 of the part under the window.
        theta = torch.tensor(
            [
                [
                    [cos * size / width, sin * size / width, self._place(0, left, width)],
                    [-sin * size / height, cos * size / height, self._place(1, top, height)],
                ]
            ]
        )
        grid = F.affine_grid(theta, [1, 1, size, size], align_corners=False)  # [1, size, size, 2]
        part = as_unit(image[None, :, top:bottom, left:right])
        pixels = F.grid_sample(part, grid, mode="bilinear", align_corners=False)[0]
        # Classes move up by one, so that what grid_sample fills in (0) marks the border.
        labels = mask[None, None, top:bottom, left:right].float().add_(1)
        labels = F.grid_sample(labels, grid, mode="nearest", align_corners=False)[0, 0]
        labels = torch.where(labels == 0, IGNORE, labels - 1).to(torch.uint8)
        return pixels, labels

    def _cut_straight(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Without turn and scale the window is a copy of pixels, no interpolation."""
        size, (height, width) = self.size, mask.shape
        x0 = math.floor(self.center[0] - size / 2 + 0.5)
        y0 = math.floor(self.center[1] - size / 2 + 0.5)
        left, right = max(x0, 0), min(x0 + size, width)
        top, bottom = max(y0, 0), min(y0 + size, height)
        inside = as_unit(image[:, top:bottom, left:right])
        labels = mask[top:bottom, left:right]
        margins = [left - x0, x0 + size - right, top - y0, y0 + size - bottom]
        if inside.dtype == image.dtype:
            inside = inside.clone()  # a float image may be the cached one
        if any(margins):
            inside, labels = F.pad(inside, margins), F.pad(labels, margins, value=IGNORE)
        return inside, labels.clone()

    def _extent(self, center: float, spread: float, limit: int) -> tuple[int, int]:
        """First and last pixel of the tile that the window can touch along one axis."""
        reach = self.size / 2 * spread + 1
        first = min(max(math.floor(center - reach), 0), limit - 1)
        return first, max(min(math.ceil(center + reach), limit), first + 1)

    def _place(self, axis: int, first: int, length: int) -> float:
        return 2 * (self.center[axis] - first) / length - 1
