"""A truth, a map of it, and samples of both."""

import numpy as np
from tests.fixtures.class_maps import middles, write_layer

NAMES = ("other", "tree", "water")


def scene(seed=0, shape=(60, 80), wrong=0.2):
    """A truth in patches, and a map of it that is wrong in places, with a corner of nodata."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (shape[0] // 10, shape[1] // 10)).repeat(10, 0).repeat(10, 1)
    mapped = np.where(rng.random(shape) < wrong, rng.integers(0, 3, shape), truth)
    mapped[:10, :10] = 255
    return truth.astype(np.uint8), mapped.astype(np.uint8)


def drawn(mapped, each=40, seed=1):
    """Pixels of a stratified sample: rows, columns."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(mapped.ravel() == k), each, False) for k in range(3)]
    return np.divmod(np.concatenate(chosen), mapped.shape[1])


def labelled(tmp_path, truth, rows, columns, name="points.gpkg", **more):
    words = [NAMES[k] for k in truth[rows, columns].tolist()]
    return write_layer(tmp_path / name, middles(rows, columns), **{"class": words}, **more)


def by_hand(truth, mapped, rows, columns):
    """Overall accuracy and shares, by the definition."""
    weights = np.bincount(mapped[mapped != 255], minlength=3) / (mapped != 255).sum()
    m, t = mapped[rows, columns], truth[rows, columns]
    right = sum(weights[k] * (t[m == k] == k).mean() for k in range(3))
    shares = [sum(weights[k] * (t[m == k] == j).mean() for k in range(3)) for j in range(3)]
    return right, shares
