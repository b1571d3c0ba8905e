"""Rule: a class only where another one lies inside its area."""

from collections.abc import Mapping, Sequence

import numpy as np

from terrashot.errors import ConfigError
from terrashot.mapping.postprocess.block_map import Block
from terrashot.mapping.postprocess.components import KEEP, SKIP, Areas, View
from terrashot.mapping.postprocess.replacement import NEIGHBOUR, replaced, target_id
from terrashot.mapping.postprocess.rule import Draft, Size, class_ids
from terrashot.taxonomy import Taxonomy


class Containing:
    """Keep areas of some classes, as they were before an earlier rule, only with others inside.

    Parking space of ClassTrans: its areas are those before vehicles are pasted into the map, so
    that a vehicle neither cuts one in two nor counts where it merely stands beside it.

    Args:
        classes: Names of the classes whose areas are looked at.
        contains: Names of the classes one of which must have a pixel in the area by now.
        before: Name of an earlier rule of the chain: the areas are those of the map before it.
        otherwise: What the others become: ``neighbour``, the class with which the area shares most
            of its border, or the name of a class.
        diagonal: Whether pixels that share a corner alone are of one area.

    Raises:
        ConfigError: no class is given on one of the sides.
    """

    external_masks = False
    needs_scores = False

    def __init__(
        self,
        classes: Sequence[str],
        contains: Sequence[str],
        before: str,
        otherwise: str = NEIGHBOUR,
        diagonal: bool = False,
    ) -> None:
        if not classes or not contains or isinstance(classes, str) or isinstance(contains, str):
            raise ConfigError(
                f"postprocess: containing has classes {classes!r} and contains {contains!r}, but "
                "both are lists of at least one class name."
            )
        self.classes = classes
        self.contains = contains
        self.before = before
        self.otherwise = otherwise
        self.diagonal = diagonal

    def check(self, taxonomy: Taxonomy, tiles: Mapping[str, Sequence[Size]]) -> None:
        """See ``Rule.check``."""
        class_ids(self.classes, taxonomy, "containing.classes")
        class_ids(self.contains, taxonomy, "containing.contains")
        if self.otherwise != NEIGHBOUR:
            target_id(self.otherwise, taxonomy, "containing.otherwise")

    def apply(self, draft: Draft) -> None:
        """See ``Rule.apply``."""
        ids, taxonomy, before = draft.ids, draft.taxonomy, draft.before[self.before]
        chosen = class_ids(self.classes, taxonomy, "containing.classes")
        inside = class_ids(self.contains, taxonomy, "containing.contains")

        def look(block: Block) -> View:
            was = before.read(block, halo=1)
            key = np.where(np.isin(was, chosen), was, SKIP)
            around = ids.read(block, halo=1)
            return View(key, around, around[1:-1, 1:-1], self.diagonal)

        def decide(areas: Areas) -> np.ndarray:
            kept = areas.inside[:, inside].any(axis=1)
            return np.where(kept, KEEP, replaced(areas, self.otherwise, taxonomy, "containing"))

        target = ids.like()
        for block, values in draft.decided(look, decide):
            now = ids.read(block)
            # What a rule in between has made of a pixel stays.
            changed = (values != KEEP) & np.isin(now, chosen)
            target.write(block, np.where(changed, values, now))
        draft.ids = target
