"""Accuracy and areas from polygons: what lies in one is one observation, however many pixels.

Pixels of a polygon resemble each other, so that their number says little of how much is known.
Each polygon is a cluster: shares inside each class of the map are those of the ground that the
polygons show of it, weighed by the area that the class has in the whole map (a post-stratified
ratio estimator), and the variance is that between polygons, by linearisation. Source: C.-E.
Sarndal, B. Swensson and J. Wretman, "Model Assisted Survey Sampling", Springer 1992, sections 5.5
and 7.6; for maps, S. V. Stehman, "Estimating standard errors of accuracy assessment statistics
under cluster sampling", Remote Sensing of Environment 60, 1997, 258-269.
"""

import numpy as np

from terrashot.assessment.estimates import Accuracy, Cells, Estimates, ratio


def cluster_accuracy(ground: np.ndarray, areas: np.ndarray) -> Accuracy:
    """Estimate from polygons that were laid at random.

    The user's accuracy of a class that a single polygon shows has no known error.

    Args:
        ground: Area that each polygon shows by class of the map and of the reference [C, K, K].
        areas: Of each class of the map in the whole map, in any unit [K].
    """
    clusters = len(ground)
    weights = np.asarray(areas, dtype=float) / np.sum(areas)
    shown = ground.sum(axis=(0, 2))
    scale = np.where(weights > 0, ratio(weights, shown), 0.0)
    matrix = ground.sum(axis=0) * scale[:, None]
    inside = np.where(weights[:, None] > 0, ratio(matrix, weights[:, None]), 0.0)
    cells = Cells.of(len(areas))

    def linear(which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A sum of cells, and what each polygon adds to it, about 0: [T], [T, C]."""
        here = np.einsum("cij,tij->tci", ground, which)
        expected = np.einsum("ij,tij->ti", inside, which)[:, None, :] * ground.sum(axis=2)
        return np.einsum("ij,tij->t", matrix, which), (here - expected) @ scale

    def estimates(values: np.ndarray, parts: np.ndarray) -> Estimates:
        if clusters < 2:
            return Estimates(values, np.full(values.shape, np.nan))
        return Estimates(values, np.sqrt(clusters / (clusters - 1) * (parts**2).sum(axis=1)))

    def quotient(part: np.ndarray, whole: np.ndarray) -> Estimates:
        (y, own), (x, of_whole) = linear(part), linear(whole)
        value = ratio(y, x)
        found = estimates(value, own - value[:, None] * of_whole)
        return Estimates(value, ratio(found.errors, x))

    overall = estimates(*linear(cells.overall))
    users = quotient(cells.right, cells.mapped)
    alone = (ground.sum(axis=2) > 0).sum(axis=0) < 2
    return Accuracy(
        matrix=matrix,
        overall=Estimates(overall.values[0], overall.errors[0]),
        users=Estimates(users.values, np.where(alone, np.nan, users.errors)),
        producers=quotient(cells.right, cells.true),
        shares=estimates(*linear(cells.true)),
    )


def counted_accuracy(ground: np.ndarray) -> Accuracy:
    """The figures of ground that is known as a whole: no sample, no error.

    Args:
        ground: Area by class of the map and of the reference [K, K].
    """
    matrix = ground / ground.sum()
    right = matrix.diagonal()

    def exact(values: np.ndarray) -> Estimates:
        return Estimates(values, np.zeros(values.shape))

    return Accuracy(
        matrix=matrix,
        overall=exact(np.asarray(right.sum())),
        users=exact(ratio(right, matrix.sum(axis=1))),
        producers=exact(ratio(right, matrix.sum(axis=0))),
        shares=exact(matrix.sum(axis=0)),
    )
