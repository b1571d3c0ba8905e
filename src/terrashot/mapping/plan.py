"""Which windows cover a scene, and how much each counts in every pixel."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from terrashot.errors import ConfigError
from terrashot.networks.segmenter import PAD_MULTIPLE


@dataclass(frozen=True)
class Axis:
    """The windows along one side of a scene.

    Args:
        length: pixels of the scene along this side.
        size: pixels of a window; the last one may reach beyond the scene.
        starts: first pixel of each window, ascending.
    """

    length: int
    size: int
    starts: tuple[int, ...]

    @classmethod
    def plan(cls, length: int, window: int, overlap: int) -> "Axis":
        """The fewest windows that overlap by ``overlap`` or more, evenly spread.

        All starts are multiples of 32: there the network sees a scene in the phase in which it
        would see it in one piece, so that windows agree with each other. Evenly spread, since a
        last window that is only pushed back would overlap its neighbour almost wholly, and what
        overlaps has to be kept in memory.
        """
        size = min(window, _up(length))
        if length <= size:
            return cls(length, size, (0,))
        count = math.ceil((length - overlap) / (size - overlap))
        last = _up(length - size)
        steps = range(count)
        starts = (i * last // (count - 1) // PAD_MULTIPLE * PAD_MULTIPLE for i in steps)
        return cls(length, size, tuple(starts))

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.starts)

    def finished(self, index: int) -> tuple[int, int]:
        """First and last-but-one pixel that no window after ``index`` touches, but it does."""
        later = [*self.starts, self.length]
        return later[index], later[index + 1]

    def first_that_touches(self, index: int) -> int:
        """The first window that shares a pixel with window ``index``."""
        start = self.starts[index]
        return next(i for i, s in enumerate(self.starts) if s + self.size > start)

    @cached_property
    def weights(self) -> list[np.ndarray]:
        """Weight of each window in each of its pixels, float32 [size].

        A Hann window, divided by the sum of those of all windows there. Windows form a grid and
        the Hann window is a product of rows and columns, so that the normaliser is one too: it is
        known before the first window is computed.
        """
        hann = np.sin(np.pi * (np.arange(self.size) + 0.5) / self.size) ** 2
        total = np.zeros(self.starts[-1] + self.size)
        for start in self.starts:
            total[start : start + self.size] += hann
        return [(hann / total[s : s + self.size]).astype(np.float32) for s in self.starts]


@dataclass(frozen=True)
class WindowPlan:
    """The grid of windows over a scene."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, height: int, width: int, window: int, overlap: int) -> "WindowPlan":
        """The grid for a scene of ``height`` x ``width`` pixels; see ``Axis.plan``."""
        return cls(Axis.plan(height, window, overlap), Axis.plan(width, window, overlap))

    @property
    def windows(self) -> int:
        """Windows in all."""
        return len(self.rows) * len(self.columns)


def check_window(window: int, overlap: int) -> None:
    """Raise a ConfigError where windows of this size and overlap make no grid."""
    if window < PAD_MULTIPLE or window % PAD_MULTIPLE:
        raise ConfigError(
            f"mapping.window is {window}, but it must be a multiple of {PAD_MULTIPLE}, such as "
            "512 or 1024: there the encoder's strides fit."
        )
    if overlap % PAD_MULTIPLE or not 0 <= overlap <= window // 2:
        raise ConfigError(
            f"mapping.overlap is {overlap}, but it must be a multiple of {PAD_MULTIPLE} from 0 to "
            f"half of mapping.window ({window // 2})."
        )


def _up(length: int) -> int:
    return math.ceil(length / PAD_MULTIPLE) * PAD_MULTIPLE
