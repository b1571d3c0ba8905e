"""Estimates with their standard errors, and all that is estimated of one map."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True)
class Estimates:
    """Shares from 0 to 1 and their standard errors, arrays of one shape.

    A value is nan where there is nothing to take a share of, an error where the sample says
    nothing of it.
    """

    values: np.ndarray
    errors: np.ndarray

    def margins(self, confidence: float) -> np.ndarray:
        """Half the width of the intervals that hold the truth with this confidence."""
        return NormalDist().inv_cdf((1 + confidence) / 2) * self.errors

    def interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, normal approximation, cut at 0 and 1."""
        margin = self.margins(confidence)
        return np.clip(self.values - margin, 0, 1), np.clip(self.values + margin, 0, 1)


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a map of K classes, and the ground that each of them covers.

    Leading axes, if any, are those of several samples.

    Args:
        matrix: Shares of the area by class of the map (rows) and of the reference (columns)
            [..., K, K]; they sum to 1.
        overall: Share of the area that is mapped rightly [...].
        users: Of what is mapped as a class, the share that is of it [..., K].
        producers: Of what is of a class, the share that is mapped as it [..., K].
        shares: Of the whole area, the share that is of each class [..., K].
    """

    matrix: np.ndarray
    overall: Estimates
    users: Estimates
    producers: Estimates
    shares: Estimates


@dataclass(frozen=True)
class Cells:
    """Which cells [K, K] of an error matrix each figure adds up, as 0 and 1.

    Args:
        overall: The diagonal [1, K, K].
        right: One cell of the diagonal each [K, K, K].
        mapped: One row each.
        true: One column each.
    """

    overall: np.ndarray
    right: np.ndarray
    mapped: np.ndarray
    true: np.ndarray

    @classmethod
    def of(cls, classes: int) -> "Cells":
        """For so many classes."""
        one, every = np.eye(classes), np.ones(classes)
        return cls(
            overall=one[None],
            right=one[:, :, None] * one[:, None, :],
            mapped=one[:, :, None] * every,
            true=one[:, None, :] * every[:, None],
        )


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``; nan where there is nothing."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=float), whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
