"""What means and deviations of channels add up from."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Sums over pixels, which can be added to those of others.

    Args:
        number: Of pixels.
        total: Sum of each channel [C].
        squares: Sum of its squares [C].
    """

    number: int = 0
    total: np.ndarray = field(default_factory=lambda: np.zeros(1))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def of(cls, values: np.ndarray) -> "Moments":
        """Those of values [C, N]; summed up in float64."""
        total = values.sum(axis=1, dtype=np.float64)
        return cls(values.shape[1], total, (values**2).sum(axis=1, dtype=np.float64))

    def __add__(self, other: "Moments") -> "Moments":
        """Those of both."""
        return Moments(
            self.number + other.number, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> np.ndarray:
        """Of each channel [C]; there has to be a pixel."""
        return self.total / self.number

    @property
    def variance(self) -> np.ndarray:
        """Of each channel [C], never below 0; there has to be a pixel."""
        return np.maximum(self.squares / self.number - self.mean**2, 0)
