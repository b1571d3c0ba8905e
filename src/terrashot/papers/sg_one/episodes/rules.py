"""What a window must show to take part in an episode, and what its mask becomes."""

from dataclasses import dataclass

import numpy as np

from terrashot.errors import ConfigError
from terrashot.taxonomy import IGNORE

_STEPS = 8


@dataclass(frozen=True)
class EpisodeRules:
    """Which square windows of a tile show a class, and the binary mask of one.

    Args:
        crop: Side of the windows in pixels.
        min_pixels: A window shows at least so many pixels of the class.
        max_foreground: and at most this share of its labelled pixels: land cover can fill whole
            tiles, and a window without background teaches nothing.
        zero_as_background: Whether label 0 is background in training. It may hide novel objects,
            so by default it is ignored.
        alone: Only tiles that show no other class take part, as published.

    Raises:
        ConfigError: a number out of its range.
    """

    crop: int
    min_pixels: int = 1024
    max_foreground: float = 0.9
    zero_as_background: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.min_pixels <= self.crop**2:
            raise ConfigError(
                f"episodes.min_pixels is {self.min_pixels}, but it must lie from 1 to "
                f"{self.crop**2}, the pixels of a window of data.crop={self.crop}."
            )
        if not 0 < self.max_foreground <= 1:
            raise ConfigError(
                f"episodes.max_foreground is {self.max_foreground}, but it is a share above 0 and "
                "up to 1: 0.9 for example leaves a tenth of a window to other classes."
            )

    def offsets(self, side: int) -> list[int]:
        """Where windows may begin along an axis of ``side`` pixels: on a grid, ends included."""
        last = side - self.crop
        if last <= 0:
            return [0]
        step = max(1, self.crop // _STEPS)
        return sorted({*range(0, last, step), last})

    def windows(self, label: np.ndarray, class_id: int) -> np.ndarray:
        """Which windows of a label ``[H, W]`` show the class, bool [rows, columns] of the grid."""
        own = label == class_id
        labelled = label != IGNORE
        if not self.zero_as_background:
            labelled &= label != 0
        found, total = self._sums(own), self._sums(labelled)
        return (found >= self.min_pixels) & (found <= self.max_foreground * total)

    def binary(self, label: np.ndarray, class_id: int) -> np.ndarray:
        """Mask uint8 [H, W]: 1 the class, 0 other classes, ``IGNORE`` elsewhere."""
        mask = (label == class_id).astype(np.uint8)
        mask[label == IGNORE] = IGNORE
        if not self.zero_as_background:
            mask[label == 0] = IGNORE
        return mask

    def _sums(self, flags: np.ndarray) -> np.ndarray:
        """Flags in each window of the grid."""
        height, width = flags.shape
        table = np.zeros((height + 1, width + 1), dtype=np.int64)
        table[1:, 1:] = flags.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
        rows, columns = np.array(self.offsets(height)), np.array(self.offsets(width))
        below, right = np.minimum(rows + self.crop, height), np.minimum(columns + self.crop, width)
        return (
            table[np.ix_(below, right)]
            - table[np.ix_(rows, right)]
            - table[np.ix_(below, columns)]
            + table[np.ix_(rows, columns)]
        )
