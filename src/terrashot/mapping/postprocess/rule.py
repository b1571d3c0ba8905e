"""What a rule is and what it works on."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from terrashot.data.reading import opened_raster
from terrashot.data.transforms import EvalTransform
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.postprocess.block_map import Block, BlockMap, blocks_of
from terrashot.mapping.postprocess.components import KEEP, Decide, Look, new_values
from terrashot.taxonomy import Taxonomy

SIDE = 1024
"""Side of a block in pixels: a few MB of work arrays each."""

Size = tuple[int, int]
"""Height and width in pixels."""

Scores = Callable[[Collection[int]], np.ndarray]
"""The best class of each pixel, uint8 [H, W], when some class ids are left out."""


class Draft:
    """A class map while rules work on it: a tile, or a whole scene on disk.

    Args:
        name: Of the tile or scene; external masks are found by it.
        ids: The map.
        taxonomy: The classes.
        fit: Brings a mask at the tile's own size, uint8 [H, W], to that of the map; None: it must
            have that size.
        scores: Where probabilities are at hand.
        transform: Where a georeferenced map lies: masks that lie elsewhere are refused.
        side: Of a block.
        size: Of the tile itself; None: that of the map.

    Attributes:
        before: The map as it was before a rule, by the rule's name, where a later one asks for it.
    """

    def __init__(
        self,
        name: str,
        ids: BlockMap,
        taxonomy: Taxonomy,
        fit: Callable[[np.ndarray], np.ndarray] | None = None,
        scores: Scores | None = None,
        transform: Any = None,  # noqa: ANN401 - rasterio has no types
        side: int = SIDE,
        size: Size | None = None,
    ) -> None:
        self.name = name
        self.ids = ids
        self.taxonomy = taxonomy
        self.fit = fit
        self.scores = scores
        self.transform = transform
        self.side = side
        self.size = size or ids.shape
        self.before: dict[str, BlockMap] = {}

    def blocks(self) -> Iterator[Block]:
        """The blocks of the map."""
        return blocks_of(self.ids.shape, self.side)

    def decided(self, look: Look, decide: Decide) -> Iterator[tuple[Block, np.ndarray]]:
        """New values of the areas that ``look`` sees; see ``new_values``."""
        return new_values(self.ids.shape, self.side, self.taxonomy.num_classes, look, decide)

    def changed(self, values: Iterable[tuple[Block, np.ndarray]]) -> BlockMap:
        """The map with new values where these are not ``KEEP``; the map itself stays."""
        target = self.ids.like()
        for block, new in values:
            target.write(block, np.where(new == KEEP, self.ids.read(block), new))
        return target

    def read_mask(self, path: Path, value: int | None, padded: int | None = None) -> BlockMap:
        """An external mask as 0 and 1, in memory or on disk like the map.

        Args:
            path: A raster of one band.
            value: What marks the class in it; None: everything but 0.
            padded: Side of masks that were made of padded tiles (``PasteMasks.padded_side``).

        Raises:
            DataError: it is missing, damaged, or of another size or place.
        """
        with opened_raster(path) as source:
            shape = (int(source.height), int(source.width))
            if shape == self.ids.shape:
                self._check_place(path, source)
                found = self.ids.like()
                for block in self.blocks():
                    window = (
                        (block.top, block.top + block.height),
                        (block.left, block.left + block.width),
                    )
                    found.write(block, _marked(source.read(1, window=window), value))
                return found
            values = _marked(source.read(1), value)
        if shape == (padded, padded):
            values = self._unpadded(values)
        fitted = values
        if values.shape != self.ids.shape and self.fit is not None:
            fitted = self.fit(values)
        if fitted.shape != self.ids.shape:
            height, width = self.ids.shape
            raise DataError(
                f"{path} is {shape[1]} x {shape[0]} pixels, but '{self.name}', which it is pasted "
                f"into, is {width} x {height}. Write the mask anew on the grid of the image."
            )
        return BlockMap.of(fitted)

    def _unpadded(self, values: np.ndarray) -> np.ndarray:
        """What of a square mask is the tile, at the size of the map or else of the tile."""
        frame = EvalTransform(len(values), nearest="opencv")
        part = frame.tile_part(torch.from_numpy(values), self.size)
        same = tuple(part.shape) == self.ids.shape
        return (part if same else frame.tile_size(part, self.size)).numpy()

    def _check_place(self, path: Path, source: Any) -> None:  # noqa: ANN401 - rasterio's dataset
        if self.transform is None or source.crs is None:
            return
        (left, top), (x, y) = ((t.c, t.f) for t in (self.transform, source.transform))
        pixel = abs(self.transform.determinant) ** 0.5
        if max(abs(left - x), abs(top - y)) > pixel / 2:
            raise DataError(
                f"{path} begins at {x:.10g}, {y:.10g}, but '{self.name}', which it is pasted into, "
                f"at {left:.10g}, {top:.10g}. Write the mask anew on the grid of the image."
            )


class Rule(Protocol):
    """One way to mend a map. Rules are plain settings; classes are given by name."""

    external_masks: bool
    """Whether it brings in what another model has found."""
    needs_scores: bool
    """Whether it asks for the second-best class, which only tiles of stage 2 have."""

    def check(self, taxonomy: Taxonomy, tiles: Mapping[str, Sequence[Size]]) -> None:
        """Find what can't work before a long run: unknown classes, masks of ``tiles``.

        Args:
            taxonomy: The classes of the map.
            tiles: Names of the tiles or scenes, with the sizes that a mask of theirs may have: the
                tile's own and that of its map.

        Raises:
            ConfigError: a setting does not go with the classes.
            DataError: a file is missing, damaged, or of another size.
        """
        ...

    def apply(self, draft: Draft) -> None:
        """Put a mended map into ``draft.ids``."""
        ...


@runtime_checkable
class LooksBack(Protocol):
    """A rule that looks at the map as it was before an earlier one."""

    before: str
    """That rule's name."""


@runtime_checkable
class ReadsMasks(Protocol):
    """A rule that reads files of other models."""

    def masks(self, tiles: Sequence[str]) -> list[Path]:
        """Those that are there for these tiles or scenes."""
        ...


def class_ids(names: Sequence[str], taxonomy: Taxonomy, setting: str) -> list[int]:
    """Label ids of classes given by name.

    Raises:
        ConfigError: the taxonomy has no such class.
    """
    known = {c.name: c.index for c in taxonomy.classes}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"postprocess: {setting} names the class '{name}', but '{taxonomy.name}' has "
                f"{', '.join(known)}. Correct the name, or leave the rule out for these classes."
            )
    return [known[name] for name in names]


def _marked(values: np.ndarray, value: int | None) -> np.ndarray:
    return (values != 0 if value is None else values == value).astype(np.uint8)
