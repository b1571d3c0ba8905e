"""What has to be said of a reference that says too little."""

from collections.abc import Sequence

import numpy as np

from terrashot.errors import DataError
from terrashot.mapping.quality.legend import Legend


def flawless(counts: np.ndarray, rows: np.ndarray, legend: Legend) -> list[str]:
    """Strata in which all points say the same, so that they add nothing to any error."""
    units = counts.sum(axis=(1, 2))
    same = (units > 1) & (counts.max(axis=(1, 2)) == units)
    if not same.any():
        return []
    # With n alike of n, a share of other ones up to 3 / n would not be unlikely (5 %).
    named = ", ".join(
        f"{legend.name_of(index)} (up to {100 * min(3 / n, 1):.0f} % may be otherwise)"
        for index, n in zip(rows[same].tolist(), units[same].tolist(), strict=True)
    )
    return [f"all points say the same in {named}: intervals take that for certain"]


def single(ids: np.ndarray, legend: Legend) -> list[str]:
    """Strata with one point, which have no variance."""
    if not len(ids):
        return []
    named = ", ".join(legend.name_of(index) for index in ids.tolist())
    return [
        f"{named}: a single point, from which no error can be had; every figure that it is part "
        "of has none"
    ]


def without_reference(names: Sequence[str], own: bool) -> DataError:
    """Nothing can be said of a map with a part that the reference does not show."""
    what = "class(es) of the map" if own else "strata"
    remedy = ", or leave it out with leave_out=NAME" if own else ""
    return DataError(
        f"the reference has nothing in the {what} {', '.join(names)}, so nothing can be said of "
        f"the map as a whole. Label at least two points there (`terrashot sample` draws them)"
        f"{remedy}."
    )
