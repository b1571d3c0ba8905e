"""All that is told of one map: what it was held against, what was assumed, what came out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from terrashot.assessment.estimates import Accuracy


@dataclass(frozen=True)
class MapAssessment:
    """The assessment of a map of K classes.

    Args:
        names: Of the classes.
        colors: Of the classes, ``#rrggbb``; None where the map names none.
        accuracy: What was estimated.
        counts: What was looked at, by class of the map and of the reference [K, K]. A polygon
            counts in each class of the map that it shows.
        total: What was looked at in all.
        looked_at: What the counts are of. Of pixels everything was looked at: there is no error.
        mapped: Area of each class on the map, or on the part that was looked at [K].
        unit: Of areas.
        confidence: Of the intervals, a share.
        assumption: Under which the figures hold, in sentences.
        notes: What a reader has to know of the input, in sentences.
    """

    names: tuple[str, ...]
    colors: tuple[str | None, ...]
    accuracy: Accuracy
    counts: np.ndarray
    total: int
    looked_at: Literal["points", "polygons", "pixels"]
    mapped: np.ndarray
    unit: Literal["ha", "pixels"]
    confidence: float
    assumption: str
    notes: tuple[str, ...]

    @property
    def sampled(self) -> bool:
        """Whether there are intervals."""
        return self.looked_at != "pixels"

    @property
    def whole(self) -> float:
        """The area that the shares are of."""
        return float(self.mapped.sum())
