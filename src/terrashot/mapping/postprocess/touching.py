"""Rule: a class only where it touches another one."""

from collections.abc import Mapping, Sequence

import numpy as np

from terrashot.errors import ConfigError
from terrashot.mapping.postprocess.block_map import Block
from terrashot.mapping.postprocess.components import KEEP, SKIP, Areas, View
from terrashot.mapping.postprocess.replacement import (
    BY_SCORE,
    NEIGHBOUR,
    SECOND_BEST,
    replaced,
    target_id,
)
from terrashot.mapping.postprocess.rule import Draft, Size, class_ids
from terrashot.taxonomy import Taxonomy


class Touching:
    """Keep areas of some classes only where they share a pixel edge with certain others.

    Args:
        classes: Names of the classes whose areas are looked at.
        touches: Names of the classes one of which an area must touch; empty: none will do, the
            classes are removed.
        otherwise: What the others become: ``neighbour``, the class with which the area shares most
            of its border; ``second_best``, each pixel's most probable class apart from
            ``classes`` (tiles of stage 2 only); or the name of a class.

    Raises:
        ConfigError: no class is given.
    """

    external_masks = False

    def __init__(
        self, classes: Sequence[str], touches: Sequence[str], otherwise: str = NEIGHBOUR
    ) -> None:
        if not classes or isinstance(classes, str) or isinstance(touches, str):
            raise ConfigError(
                f"postprocess: touching has classes {classes!r} and touches {touches!r}, but both "
                "are lists of class names, and classes is not empty."
            )
        self.classes = classes
        self.touches = touches
        self.otherwise = otherwise
        self.needs_scores = otherwise == SECOND_BEST

    def check(self, taxonomy: Taxonomy, tiles: Mapping[str, Sequence[Size]]) -> None:
        """See ``Rule.check``."""
        class_ids(self.classes, taxonomy, "touching.classes")
        class_ids(self.touches, taxonomy, "touching.touches")
        if self.otherwise not in (NEIGHBOUR, SECOND_BEST):
            target_id(self.otherwise, taxonomy, "touching.otherwise")

    def apply(self, draft: Draft) -> None:
        """See ``Rule.apply``."""
        ids, taxonomy = draft.ids, draft.taxonomy
        chosen = class_ids(self.classes, taxonomy, "touching.classes")
        partners = class_ids(self.touches, taxonomy, "touching.touches")
        best = draft.scores(chosen) if self.needs_scores and draft.scores is not None else None

        def look(block: Block) -> View:
            around = ids.read(block, halo=1)
            return View(np.where(np.isin(around, chosen), around, SKIP), around)

        def decide(areas: Areas) -> np.ndarray:
            touches = areas.contacts[:, partners].any(axis=1)
            new = replaced(areas, self.otherwise, taxonomy, "touching.otherwise")
            return np.where(touches, KEEP, new)

        target = ids.like()
        for block, values in draft.decided(look, decide):
            values = np.where(values == KEEP, ids.read(block), values)
            if best is not None:
                rows = slice(block.top, block.top + block.height)
                columns = slice(block.left, block.left + block.width)
                values = np.where(values == BY_SCORE, best[rows, columns], values)
            target.write(block, values)
        draft.ids = target
