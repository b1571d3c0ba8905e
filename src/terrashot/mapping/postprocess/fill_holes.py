"""Rule: what lies wholly inside a class becomes that class."""

from collections.abc import Mapping, Sequence

import numpy as np

from terrashot.mapping.postprocess.block_map import NODATA, Block, BlockMap
from terrashot.mapping.postprocess.components import KEEP, SKIP, Areas, View
from terrashot.mapping.postprocess.rule import Draft, Size, class_ids
from terrashot.ranges import check_range
from terrashot.taxonomy import Taxonomy


class FillHoles:
    """Fill the holes of classes, one class after the other.

    A hole is a connected area of other classes, one or several, that a class encloses; what
    touches nodata or the end of the map is none.

    Args:
        classes: Names of the classes whose holes are filled, in this order; None: all, by id.
        max_pixels: Larger holes stay; None: no limit.
    """

    external_masks = False
    needs_scores = False

    def __init__(self, classes: Sequence[str] | None = None, max_pixels: int | None = None) -> None:
        if max_pixels is not None:
            check_range("postprocess: fill_holes.max_pixels", max_pixels, whole=True, at_least=1)
        self.classes = classes
        self.max_pixels = max_pixels

    def check(self, taxonomy: Taxonomy, tiles: Mapping[str, Sequence[Size]]) -> None:
        """See ``Rule.check``."""
        class_ids(self.classes or [], taxonomy, "fill_holes.classes")

    def apply(self, draft: Draft) -> None:
        """See ``Rule.apply``."""
        names = draft.taxonomy.names if self.classes is None else self.classes
        for filled in class_ids(names, draft.taxonomy, "fill_holes.classes"):
            draft.ids = self._fill(draft, filled)

    def _fill(self, draft: Draft, filled: int) -> BlockMap:
        ids = draft.ids

        def look(block: Block) -> View:
            around = ids.read(block, halo=1)
            solid = (around == filled) | (around == NODATA)
            return View(np.where(solid, SKIP, 0), around)

        def decide(areas: Areas) -> np.ndarray:
            enclosed = areas.contacts[:, -1] == 0
            if self.max_pixels is not None:
                enclosed &= areas.size <= self.max_pixels
            # A map without any of the class is one area that touches nothing but its own end.
            return np.where(enclosed & (areas.contacts[:, filled] > 0), filled, KEEP)

        return draft.changed(draft.decided(look, decide))
