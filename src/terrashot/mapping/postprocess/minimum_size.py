"""Rule: areas below a size go to the class around them."""

from collections.abc import Mapping, Sequence

import numpy as np

from terrashot.mapping.postprocess.block_map import NODATA, Block, BlockMap
from terrashot.mapping.postprocess.components import KEEP, SKIP, UNSEEN, Areas, View
from terrashot.mapping.postprocess.replacement import surrounding
from terrashot.mapping.postprocess.rule import Draft, Size, class_ids
from terrashot.ranges import check_range
from terrashot.taxonomy import Taxonomy

_SMALL = UNSEEN  # small areas do not vote on their small neighbours


class MinimumSize:
    """Give each area below ``pixels`` the class with which it shares most of its border.

    Only areas that stay have a vote. Small areas among small ones wait until a neighbour has
    joined one that stays, so in the end no area is too small but those that nodata and the end of
    the map cut off from all others. The order in which areas are met plays no part.

    Args:
        pixels: Areas of fewer pixels are given away.
        classes: Names of the classes whose areas are; None: all.

    Raises:
        ConfigError: ``pixels`` is below 1.
    """

    external_masks = False
    needs_scores = False

    def __init__(self, pixels: int, classes: Sequence[str] | None = None) -> None:
        check_range("postprocess: minimum_size.pixels", pixels, whole=True, at_least=1)
        self.pixels = pixels
        self.classes = classes

    def check(self, taxonomy: Taxonomy, tiles: Mapping[str, Sequence[Size]]) -> None:
        """See ``Rule.check``."""
        class_ids(self.classes or [], taxonomy, "minimum_size.classes")

    def apply(self, draft: Draft) -> None:
        """See ``Rule.apply``."""
        taxonomy = draft.taxonomy
        names = taxonomy.names if self.classes is None else self.classes
        chosen = class_ids(names, taxonomy, "minimum_size.classes")
        while True:
            marked = self._mark(draft, chosen)
            merged = _merge(draft, marked) if marked is not None else None
            if merged is None:
                return
            draft.ids = merged

    def _mark(self, draft: Draft, chosen: list[int]) -> BlockMap | None:
        """The map with ``_SMALL`` in its small areas; None where there are none."""
        ids, found = draft.ids, False

        def look(block: Block) -> View:
            return View(ids.read(block, halo=1))

        def decide(areas: Areas) -> np.ndarray:
            small = (areas.size < self.pixels) & np.isin(areas.key, chosen)
            return np.where(small, _SMALL, KEEP)

        target = ids.like()
        for block, values in draft.decided(look, decide):
            small = values == _SMALL
            found = found or bool(small.any())
            target.write(block, np.where(small, _SMALL, ids.read(block)))
        return target if found else None


def _merge(draft: Draft, marked: BlockMap) -> BlockMap | None:
    """The map with small areas given to their neighbours; None where none has one that stays."""
    ids, found = draft.ids, False

    def look(block: Block) -> View:
        context = marked.read(block, halo=1)
        return View(np.where(context == _SMALL, ids.read(block, halo=1), SKIP), context)

    target = ids.like()
    for block, values in draft.decided(look, surrounding):
        found = found or bool((values != KEEP).any())
        target.write(block, np.where(values == KEEP, ids.read(block), values))
    return target if found else None


assert SKIP == NODATA  # nodata is in no area
