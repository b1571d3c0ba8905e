"""Which windows of which tiles show which class: looked up once, drawn from ever after."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from terrashot.data.tiles import TileDataset
from terrashot.errors import DataError
from terrashot.papers.sg_one.episodes.rules import EpisodeRules
from terrashot.taxonomy import IGNORE, Taxonomy


class EpisodeIndex:
    """Windows by class and tile.

    Args:
        tiles: Labelled tiles; every label is read once.
        rules: What a window must show.
        taxonomy: Names of the classes.
        file: The list that the tiles stand on, for messages.

    Attributes:
        classes: Ids of the base classes that two tiles or more show.

    Raises:
        DataError: no class has two tiles, so there is no episode.
    """

    def __init__(
        self, tiles: TileDataset, rules: EpisodeRules, taxonomy: Taxonomy, file: str
    ) -> None:
        self.rules = rules
        self._windows: list[dict[int, np.ndarray]] = []  # by tile: class -> [windows, 2]
        self._tiles_of: dict[int, list[int]] = {i: [] for i in taxonomy.base_ids}
        # Tiles whose background is all label 0, by class: an option would let them take part.
        self._unlabelled = dict.fromkeys(taxonomy.base_ids, 0)
        for index in range(len(tiles)):
            self._windows.append(self._look_through(tiles.label(index), taxonomy.base_ids))
            for class_id in self._windows[-1]:
                self._tiles_of[class_id].append(index)
        self.classes = [i for i, found in self._tiles_of.items() if len(found) >= 2]
        self._report(taxonomy, file)

    def tiles_of(self, class_id: int) -> list[int]:
        """The tiles that show a class."""
        return self._tiles_of[class_id]

    def draw(self, tile: int, class_id: int, generator: np.random.Generator) -> tuple[int, int]:
        """Row and column where a window of the tile begins that shows the class."""
        windows = self._windows[tile][class_id]
        row, column = windows[generator.integers(len(windows))]
        return int(row), int(column)

    def _look_through(self, label: np.ndarray, classes: Sequence[int]) -> dict[int, np.ndarray]:
        rows, columns = (np.array(self.rules.offsets(side)) for side in label.shape)
        counts = np.bincount(label.reshape(-1), minlength=256)
        found: dict[int, np.ndarray] = {}
        if self.rules.alone and np.count_nonzero(counts[1:IGNORE]) > 1:
            return found
        with_zero = replace(self.rules, zero_as_background=True)
        for class_id in classes:
            if counts[class_id] >= self.rules.min_pixels:
                places = np.argwhere(self.rules.windows(label, class_id))
                if len(places):
                    starts = np.stack([rows[places[:, 0]], columns[places[:, 1]]], axis=1)
                    found[class_id] = starts.astype(np.int32)
                elif with_zero.windows(label, class_id).any():
                    self._unlabelled[class_id] += 1
        return found

    def _report(self, taxonomy: Taxonomy, file: str) -> None:
        asked = (
            f"at least {self.rules.min_pixels} pixels and at most "
            f"{100 * self.rules.max_foreground:.0f} % of the class in a window of "
            f"{self.rules.crop} pixels"
        )
        if self.rules.alone:
            asked += " and no other class beside it (episodes.alone)"
        if not self.classes:
            found = ", ".join(f"{taxonomy.names[i]} {len(t)}" for i, t in self._tiles_of.items())
            raise DataError(
                f"{file}: an episode takes two tiles with {asked}, but no base class has two; "
                f"tiles found: {found}. {self._mend(self._tiles_of)}"
            )
        for class_id, found_tiles in self._tiles_of.items():
            if len(found_tiles) < 2:
                warnings.warn(
                    f"{file}: class '{taxonomy.names[class_id]}' takes no part in episodes, since "
                    f"{len(found_tiles)} of its tiles have {asked}, and two are needed. "
                    f"{self._mend([class_id])}",
                    stacklevel=3,
                )

    def _mend(self, classes: Iterable[int]) -> str:
        """What lets the tiles of these classes take part."""
        hidden = sum(self._unlabelled[class_id] for class_id in classes)
        if hidden:
            return (
                f"In {hidden} tile(s) there is a window of that kind, but all beside the class is "
                "label 0, which is ignored since it may hide novel objects. Where it is true "
                "background, set episodes.zero_as_background=true."
            )
        alone = ", set episodes.alone=false" if self.rules.alone else ""
        return (
            f"Lower episodes.min_pixels, raise episodes.max_foreground{alone}, or list more tiles."
        )
