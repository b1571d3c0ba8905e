"""The support set: the few labelled tiles from which a novel class is learned."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from terrashot.data.layout import Tile
from terrashot.data.tiles import Sample, TileDataset
from terrashot.errors import DataError
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy


class SupportSample(Sample):
    """A sample of the support set, with the class the tile was chosen for."""

    class_id: int | None


class SupportTileSource(Protocol):
    """Support tiles, wherever they come from."""

    @property
    def class_ids(self) -> Sequence[int | None]:
        """The novel class that each tile was labelled for; None: for what the network knows."""
        ...

    def __len__(self) -> int:
        """Number of tiles."""
        ...

    def __getitem__(self, index: int) -> SupportSample:
        """Image float32 [C, H, W] in 0..1, mask int64 [H, W], name and class id."""
        ...

    def mask(self, index: int) -> Tensor:
        """The mask [H, W] of a sample, without its image."""
        ...

    def path(self, index: int) -> Path | None:
        """The file by which the features of a tile are kept; None: they are not."""
        ...


class SupportSet(Dataset[SupportSample]):
    """Support tiles in the order of their class ids, checked when the set is made.

    A tile shows 0, ``IGNORE``, and the novel class it was chosen for. Another label would
    have to be guessed away, so it is an error.

    Args:
        tiles: the tiles of each novel class id.
        taxonomy: the classes.
        transform: as in ``TileDataset``.
        spec: the channels of the images; None: 8-bit RGB.

    Raises:
        DataError: a class without tiles, a tile without a pixel of its class, or with another
            class in it.
    """

    def __init__(
        self,
        tiles: Mapping[int, Sequence[Tile]],
        taxonomy: Taxonomy,
        transform: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        spec: ImageSpec | None = None,
    ) -> None:
        self.taxonomy = taxonomy
        for land_class in taxonomy.novel:
            if not tiles.get(land_class.index):
                raise DataError(
                    f"The support set has no tile for the novel class {land_class.index} "
                    f"'{land_class.name}'; it has tiles for the ids {sorted(tiles)}. List at "
                    "least one labelled tile for it under 'support_set' in the split's JSON file."
                )
        self.class_ids: Sequence[int] = [i for i in sorted(tiles) for _ in tiles[i]]
        ordered = [tile for i in sorted(tiles) for tile in tiles[i]]
        self._dataset = TileDataset(ordered, taxonomy, transform, spec=spec, cache=True)
        for index in range(len(self)):
            self._check(index)

    @property
    def tiles(self) -> list[Tile]:
        """The tiles in order."""
        return self._dataset.tiles

    def __len__(self) -> int:
        """Number of tiles of all classes."""
        return len(self.class_ids)

    def __getitem__(self, index: int) -> SupportSample:
        """Image [C, H, W], mask [H, W] in {0, own class, ignore}, name and class id."""
        if not 0 <= index < len(self):
            raise IndexError(index)  # ends a for loop over the set
        sample = self._dataset[index]
        return {**sample, "class_id": self.class_ids[index]}

    def mask(self, index: int, expected: tuple[int, ...] | None = None) -> Tensor:
        """The mask [H, W] of a sample; its image is not read. See ``TileDataset.mask``."""
        return self._dataset.mask(index, expected)

    def path(self, index: int) -> Path | None:
        """The image file of a sample, by which its features are kept."""
        return self.tiles[index].image

    def _check(self, index: int) -> None:
        tile, own = self.tiles[index], self.class_ids[index]
        names = self.taxonomy.names
        counts = np.bincount(self._dataset.label(index).reshape(-1), minlength=256)
        if not counts[own]:
            found = ", ".join(str(i) for i in np.flatnonzero(counts))
            raise DataError(
                f"The support tile {tile.label} was chosen for class {own} '{names[own]}' but has "
                f"no pixel of it; its label ids are {found}. Label the class in this tile, or "
                "list another tile under 'support_set' in the split's JSON file."
            )
        allowed = {0, own, IGNORE}
        others = [int(i) for i in np.flatnonzero(counts) if int(i) not in allowed]
        if others:
            found = ", ".join(f"{i} '{names[i]}' ({int(counts[i])} pixels)" for i in others)
            raise DataError(
                f"The support tile {tile.label} was chosen for class {own} '{names[own]}' but also "
                f"has pixels of {found}. In a support tile only its own class is labelled: set "
                f"the other pixels to 0, or to {IGNORE} to leave them out."
            )
