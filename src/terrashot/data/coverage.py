"""Whether the labels that a run reads leave anything to learn and to measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.reading import read_label
from terrashot.data.share import share_of
from terrashot.data.statistics import label_counts
from terrashot.errors import DataError
from terrashot.taxonomy import IGNORE, Taxonomy


@dataclass(frozen=True)
class Coverage:
    """Labelled pixels of the parts of a dataset, counted once and kept (see ``label_counts``).

    Args:
        layout: The dataset.
        taxonomy: Its classes.
        train_share: Share of the training tiles that is used.
        seed: Chooses them.
    """

    layout: FewShotLayout
    taxonomy: Taxonomy
    train_share: float = 1.0
    seed: int = 0

    @cached_property
    def train(self) -> Tensor:
        """Training pixels of each base class [num_base], as stage 1 sees them."""
        tiles = share_of(self.layout.train, self.train_share, self.seed)
        return self._stage1(tiles)

    @cached_property
    def stage1_val(self) -> Tensor:
        """Validation pixels of each base class [num_base], as stage 1 sees them."""
        return self._stage1(self.layout.stage1_val)

    @cached_property
    def query(self) -> Tensor:
        """Query pixels of each class [num_classes]."""
        return label_counts(self.layout.query, self.taxonomy, self.layout.root)

    def _stage1(self, tiles: Sequence[Tile]) -> Tensor:
        return label_counts(tiles, self.taxonomy, self.layout.root, base_only=True)

    def check(self, parts: Sequence[str]) -> None:
        """See that these parts have something to learn or to measure.

        Args:
            parts: Of the layout: ``train``, ``stage1_val`` and ``support`` are looked at.

        Raises:
            DataError: training or validation tiles without a pixel of a base class, or a novel
                class without one in its support tiles.
        """
        for part, purpose in (("train", "learn"), ("stage1_val", "validate on")):
            if part in parts:
                self._check_stage1(part, purpose)
        if "support" in parts:
            self._check_support()

    def _check_stage1(self, part: str, purpose: str) -> None:
        counts = getattr(self, part)
        if counts[1:].sum():
            return
        found = f"{int(counts[0])} pixels of background alone" if counts[0] else "none"
        raise DataError(
            f"The tiles of {self.layout.root / part}.txt leave nothing to {purpose}: expected are "
            f"pixels of {', '.join(land.name for land in self.taxonomy.base)}, but their labels "
            f"have {found}; {IGNORE} means ignored. Correct the labels (`terrashot check-data` "
            f"counts them), or list other tiles on {part}.txt."
        )

    def _check_support(self) -> None:
        for land in self.taxonomy.novel:
            tiles = [t for t in self.layout.support.get(land.index, []) if t.label]
            labels = [tile.label for tile in tiles if tile.label is not None]
            ids = (read_label(tile.label, codes=tile.codes) for tile in tiles if tile.label)
            if not labels or any((label == land.index).any() for label in ids):
                continue  # a class without tiles has an error of its own
            raise DataError(
                f"None of the {len(labels)} support tile(s) of class {land.index} '{land.name}' "
                f"has a pixel of it ({', '.join(label.name for label in labels[:5])}), so there "
                f"is nothing to learn it from; {IGNORE} means ignored. Label the class in one of "
                "them, or list another tile under 'support_set' in the split's JSON file."
            )

    def remarks(self, parts: Sequence[str]) -> list[str]:
        """What a run on these parts can do without, but its user should know: a line each."""
        lines = []
        if "train" in parts:
            absent = [self.taxonomy.names[i] for i in np.flatnonzero(self.train == 0) if i]
            if absent:
                lines.append(
                    f"no training tile shows {', '.join(absent)}: the network can't learn what it "
                    "never sees"
                )
        if "query" in parts and not self.query.sum():
            lines.append(
                "no query tile has a labelled pixel: maps are made, but there is nothing to score "
                "them by (nan)"
            )
        return lines
