"""How large a sample has to be, and how it is shared out among strata.

Source: P. Olofsson and others, "Good practices for estimating area and assessing accuracy of land
change", Remote Sensing of Environment 148, 2014, section 5.1; equation 13 is Cochran's 5.25.
"""

from collections.abc import Callable, Mapping

import numpy as np

from terrashot.errors import ConfigError

LEAST = 2
"""Units of a stratum without which it has no variance."""


def sample_size(weights: np.ndarray, accuracies: np.ndarray, standard_error: float) -> int:
    """Units for an overall accuracy with this standard error.

    Args:
        weights: Share of the area of each stratum [H].
        accuracies: User's accuracy that is expected in each stratum [H].
        standard_error: Of the overall accuracy, a share.
    """
    spread = float(np.sum(weights * np.sqrt(accuracies * (1 - accuracies))))
    return int(np.ceil((spread / standard_error) ** 2))


def allocate(
    kind: str, units: int, weights: np.ndarray, population: np.ndarray, minimum: int
) -> np.ndarray:
    """Share a sample out among strata.

    ``equal``: as many units in each. ``proportional``: by area. ``compromise``, what Olofsson and
    others recommend: ``minimum`` units in each stratum that would have fewer by area, and the
    others share what is left by area. Every stratum has at least two units, for a variance, and
    none more than there are; what one can't take goes to the others.

    Args:
        kind: One of ``ALLOCATIONS``.
        units: The size of the sample.
        weights: Area of each stratum, any unit [H].
        population: Units in each [H].
        minimum: Of ``compromise``.

    Returns:
        Units of each stratum [H], ``units`` in all, or everything where there are no more.

    Raises:
        ConfigError: too few units for the least that each stratum needs.
    """
    least = minimum if kind == "compromise" else LEAST
    floor = np.minimum(least, population)
    if floor.sum() > units:
        raise ConfigError(
            f"n is {units}, but {len(weights)} strata with at least {least} points in each need "
            f"{int(floor.sum())}. Raise n{', or lower minimum' if kind == 'compromise' else ''}."
        )
    return _shared(units, ALLOCATIONS[kind](np.asarray(weights, dtype=float)), floor, population)


ALLOCATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "compromise": lambda weights: weights,
    "equal": np.ones_like,
    "proportional": lambda weights: weights,
}
"""What units are shared out by, before the least and the most that a stratum can have."""


def _shared(units: int, weights: np.ndarray, floor: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    """Whole numbers by weight between two bounds, ``units`` in all if the upper ones allow it."""
    units = min(units, int(ceiling.sum()))
    low, high = 0.0, float(np.max(ceiling / weights)) + 1.0
    for _ in range(200):  # bisection for the scale, to the last digit
        scale = (low + high) / 2
        wanted = np.clip(scale * weights, floor, ceiling)
        low, high = (scale, high) if wanted.sum() < units else (low, scale)
    whole = np.floor(wanted + 1e-6).astype(np.int64)
    # Largest remainders; of equal ones, that of the larger stratum.
    room = np.where(whole < ceiling, wanted - whole, -1.0)
    order = np.lexsort((-weights, -np.round(room, 6)))
    whole[order[: units - int(whole.sum())]] += 1
    return whole
