"""Accuracy and areas from a stratified random sample, whether or not strata are map classes.

Source: P. Olofsson and others, "Good practices for estimating area and assessing accuracy of land
change", Remote Sensing of Environment 148, 2014, 42-57, equations 1 to 10, for strata that are the
classes of the map; S. V. Stehman, "Estimating area and map accuracy for stratified random sampling
when the strata are different from the map classes", International Journal of Remote Sensing
35(13), 2014, 4923-4939, equations 2, 25, 27 and 28, for any strata. The second holds the first as a
special case and is what stands here.
"""

import numpy as np

from terrashot.assessment.estimates import Accuracy, Cells, Estimates, ratio


def stratified_accuracy(
    counts: np.ndarray, areas: np.ndarray, population: np.ndarray | None = None
) -> Accuracy:
    """Estimate from the sampled units of each stratum.

    Strata with an area and no unit leave everything unknown (nan); strata with a single unit have
    no variance, so that the errors they are part of are unknown. A user's accuracy has a part of
    its own stratum alone where strata are the classes of the map.

    Args:
        counts: Units by stratum, class of the map and class of the reference [..., H, K, K].
        areas: Of each stratum, any unit [H].
        population: Units in each stratum [H], for the correction for finite populations; None:
            without, as in Olofsson and others.
    """
    counts = np.asarray(counts, dtype=float)
    strata, classes = counts.shape[-3:-1]
    weights = np.asarray(areas, dtype=float) / np.sum(areas)
    units = counts.sum(axis=(-2, -1))
    shares = ratio(counts, units[..., None, None])
    # A stratum without ground has no part in anything.
    shares = np.where(weights[:, None, None] > 0, shares, 0.0)
    left = np.ones(strata) if population is None else 1 - units / np.maximum(population, 1)
    # Times a sample variance, in which n stands where it has n - 1: s^2 / n = (mean of squares
    # less square of mean) / (n - 1).
    factor = ratio(left * weights**2, units - 1)
    factor = np.where((weights > 0) & (left > 0), factor, 0.0)
    cells = Cells.of(classes)

    def means(which: np.ndarray) -> np.ndarray:
        """Of a sum of cells in each stratum [..., T, H]."""
        return np.einsum("...hij,tij->...th", shares, which)

    def total(which: np.ndarray) -> np.ndarray:
        return means(which) @ weights

    def plain(which: np.ndarray) -> Estimates:
        inside = means(which)
        variance = inside * (1 - inside)  # cells are 0 or 1: their squares are themselves
        return Estimates(inside @ weights, _root((variance * factor[..., None, :]).sum(axis=-1)))

    def quotient(part: np.ndarray, whole: np.ndarray, own: np.ndarray | None = None) -> Estimates:
        """Of two sums of cells, the first inside the second."""
        value, base = ratio(total(part), total(whole)), total(whole)
        y, x, r = means(part), means(whole), value[..., None]
        # Of y - r x, which is 1 - r in the part, -r in the rest of the whole, and 0 elsewhere.
        variance = y * (1 - r) ** 2 + (x - y) * r**2 - (y - r * x) ** 2
        parts = np.maximum(variance, 0) * factor[..., None, :]
        if own is not None:
            parts = np.where(own, parts, 0.0)
        return Estimates(value, ratio(_root(parts.sum(axis=-1)), base))

    overall = plain(cells.overall)
    return Accuracy(
        matrix=np.einsum("...hij,h->...ij", shares, weights),
        overall=Estimates(overall.values[..., 0], overall.errors[..., 0]),
        users=quotient(cells.right, cells.mapped, _own(counts)),
        producers=quotient(cells.right, cells.true),
        shares=plain(cells.true),
    )


def _own(counts: np.ndarray) -> np.ndarray | None:
    """Which stratum is each class of the map [K, H], where strata are the classes; else None."""
    strata, classes = counts.shape[-3:-1]
    own = np.eye(classes, dtype=bool)
    if strata != classes or counts[..., ~own, :].any():
        return None
    return own


def _root(variance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(variance, 0))
