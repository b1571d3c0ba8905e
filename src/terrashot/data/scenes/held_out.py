"""Which cells of the scenes are kept for validation."""

import numpy as np

_ORDER_SEED = 0
"""The same cells for every seed of a run: scores of seeds can be compared."""


def hold_out(shown: np.ndarray, share: float) -> np.ndarray:
    """Choose cells for validation, so that each class keeps its share there and in training.

    Classes come in the order of how few cells show them. A class that one cell alone shows is
    trained on and not validated on; no class loses its last cell of training.

    Args:
        shown: Which classes a cell shows, bool [cells, classes].
        share: Part of the cells of each class to hold out, above 0 and below 1; at least one.

    Returns:
        bool [cells].
    """
    order = np.random.default_rng(_ORDER_SEED).permutation(len(shown))
    held = np.zeros(len(shown), bool)
    counts = shown.sum(axis=0)
    left = counts.copy()
    for index in np.argsort(counts, kind="stable"):
        mine = order[shown[order, index]]
        missing = max(1, round(share * len(mine))) - int(held[mine].sum())
        for cell in mine:
            if missing <= 0:
                break
            if held[cell] or (left[shown[cell]] < 2).any():
                continue
            held[cell] = True
            left -= shown[cell]
            missing -= 1
    return held
