"""The support set once it is features: pixels sorted by label in cache-sized blocks."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from terrashot.adaptation.striding import labels_to_size
from terrashot.adaptation.support.blocks import BlockWriter
from terrashot.adaptation.support.checks import (
    all_finite,
    check_classes,
    check_labels,
    check_shape,
    check_tile_classes,
    paired,
)
from terrashot.adaptation.support.label_counts import class_counts, counts_by_tile, only_novel
from terrashot.errors import DataError
from terrashot.taxonomy import IGNORE


@dataclass(frozen=True)
class PixelBlock:
    """Support pixels that share label and tile class.

    Args:
        label: Their label, or None where they are ignored.
        tile_class: The novel class their tiles were labelled for, where that is known.
        pixels: Features ``[C, n]``, contiguous.
        weights: How much each pixel is trusted ``[n]``, of mean about 1; None: all alike.
    """

    label: int | None
    tile_class: int | None
    pixels: Tensor
    weights: Tensor | None = None


class SupportPixels:
    """Support pixels sorted by label; built once, shared by all queries.

    Args:
        features: One map ``[C, h, w]`` a tile, read one after the other and not kept, so that a
            generator never holds more than one; a tensor ``[S, C, h, w]`` will do. Sizes may
            differ.
        labels: One map ``[h, w]`` a tile, integers: 0, the tile's novel class, ``IGNORE``.
            A base class is allowed too; the method says what becomes of it.
        num_base: Base classes, background included.
        num_novel: Novel classes.
        class_names: All classes in label order, for messages and text embeddings.
        stride: Pixels of the image between two features, for messages.
        storage: dtype of the stored features; None: that of the features, at least float32.
        tile_classes: The novel class each tile was labelled for; None: the one novel label in it.
        num_tiles: How many of the tiles, from the first, were labelled by people; None: all.
            Further ones hold pixels that a method labelled itself.
        parts: Channels of the parts that the features are made of (see ``Segmenter``); None: one.

    Attributes:
        blocks: The labelled pixels, labels ascending; each label's pixels by tile class.
        ignored: The ignored pixels, in blocks as well.
        counts: Labelled pixels of each class ``[K]``.
        tile_counts: For each label and tile class, the numbers of the tiles that its pixels come
            from in their order, and how many come from each.
        num_tiles: Support tiles of all classes together.

    Raises:
        DataError: no tiles, unlike shapes, features that are not finite, a label out of range, a
            novel class without a pixel.
    """

    def __init__(
        self,
        features: Iterable[Tensor] | Tensor,
        labels: Sequence[Tensor] | Tensor,
        num_base: int,
        num_novel: int,
        class_names: Sequence[str] | None = None,
        stride: int | None = None,
        storage: torch.dtype | None = None,
        tile_classes: Sequence[int | None] | None = None,
        num_tiles: int | None = None,
        parts: Sequence[int] | None = None,
    ) -> None:
        self.num_base = num_base
        self.num_novel = num_novel
        self.num_classes = num_base + num_novel
        self.class_names = list(class_names) if class_names else None
        # Numpy-like uint8 labels must not wrap around.
        maps = [label.to(torch.int64) for label in labels]
        self.num_tiles = len(maps) if num_tiles is None else num_tiles
        self.validity_maps = [label != IGNORE for label in maps[: self.num_tiles]]
        check_labels(maps, self.num_classes)
        self.counts = class_counts(maps, self.num_classes)
        check_classes(self.counts, num_base, self.num_tiles, self.class_names, stride)
        if tile_classes is not None:
            check_tile_classes(tile_classes, len(maps), range(num_base, self.num_classes))
        self._fill(features, maps, storage, tile_classes)
        self.parts = tuple(parts or (self.channels,))
        if sum(self.parts) != self.channels:
            raise DataError(
                f"support: the features have {self.channels} channels, but their parts "
                f"{', '.join(map(str, self.parts))} sum to {sum(self.parts)}."
            )

    @property
    def num_labelled(self) -> int:
        """Labelled pixels."""
        return sum(block.pixels.shape[1] for block in self.blocks)

    @property
    def num_pixels(self) -> int:
        """All pixels, ignored ones too."""
        return self.num_labelled + sum(block.pixels.shape[1] for block in self.ignored)

    @property
    def channels(self) -> int:
        """Length of a feature vector."""
        return int(self.blocks[0].pixels.shape[0])

    @property
    def storage(self) -> torch.dtype:
        """What the features are kept in."""
        return self.blocks[0].pixels.dtype

    @property
    def like(self) -> Tensor:
        """An empty tensor in the dtype and on the device that adaptation computes with."""
        compute = torch.float64 if self.storage == torch.float64 else torch.float32
        return torch.empty(0, dtype=compute, device=self.blocks[0].pixels.device)

    @property
    def rms_norm(self) -> float:
        """Root mean square length of the feature vectors of the labelled pixels."""
        norms = [float(torch.linalg.vector_norm(b.pixels.to(self.like))) for b in self.blocks]
        return math.sqrt(sum(norm**2 for norm in norms) / self.num_labelled)

    def of_class(self, index: int) -> Iterator[Tensor]:
        """The blocks ``[C, n]`` of a label, in the dtype that adaptation computes with."""
        for block in self.blocks:
            if block.label == index:
                yield block.pixels.to(self.like)

    def tiles_of(self, label: int, tile_class: int | None) -> Tensor:
        """Number of the tile ``[n]`` of each pixel of a label and tile class, over its blocks."""
        tiles, sizes = zip(*self.tile_counts[label, tile_class], strict=True)
        return torch.tensor(tiles).repeat_interleave(torch.tensor(sizes))

    def weighted(self, weights: Mapping[tuple[int, int | None], Tensor]) -> "SupportPixels":
        """The same pixels, some of them with weights.

        Args:
            weights: ``[n]`` by label and tile class, in the order of ``tiles_of``.
        """
        parts = {
            key: iter(value.to(self.like).split(self._lengths(key)))
            for key, value in weights.items()
        }
        other = copy(self)
        other.blocks = [
            replace(block, weights=next(parts[key]))
            if (key := (block.label or 0, block.tile_class)) in parts
            else block
            for block in self.blocks
        ]
        return other

    def without(self, tiles: Collection[int], every: int = 1) -> "SupportPixels":
        """The support as if some tiles were not in it, for a head that has not seen them.

        Args:
            tiles: Their numbers; each novel class keeps a pixel in another tile.
            every: Of the pixels that are left, every so-manyth of each label and tile class.
        """
        other = copy(self)
        other.blocks, other.ignored, other.tile_counts = [], [], {}
        other.counts = torch.zeros_like(self.counts)
        for key, numbers, parts in self._chosen(tiles, False, every):
            found, sizes = numbers.unique_consecutive(return_counts=True)
            other.tile_counts[key] = list(zip(found.tolist(), sizes.tolist(), strict=True))
            if key[0] != IGNORE:
                other.counts[key[0]] += len(numbers)
            for block, own in parts:
                weights = None if block.weights is None else block.weights[own]
                part = replace(block, pixels=block.pixels[:, own], weights=weights)
                (other.ignored if block.label is None else other.blocks).append(part)
        own_maps = range(self.num_tiles)
        other.validity_maps = [self.validity_maps[i] for i in own_maps if i not in tiles]
        other.num_tiles = len(other.validity_maps)
        return other

    def pixels_of(self, tiles: Collection[int], every: int = 1) -> tuple[Tensor, Tensor]:
        """Labelled pixels ``[C, n]`` of some tiles, and their labels ``[n]``.

        Args:
            tiles: Their numbers.
            every: Of the pixels of each label and tile class, every so-manyth.
        """
        pixels, labels = [], []
        for (label, _), _, parts in self._chosen(tiles, True, every):
            for block, own in parts if label != IGNORE else []:
                pixels.append(block.pixels[:, own].to(self.like))
                labels.append(own.new_full((len(own),), label))
        return torch.cat(pixels, dim=1), torch.cat(labels)

    def _chosen(
        self, tiles: Collection[int], inside: bool, every: int
    ) -> Iterator[tuple[tuple[int, int | None], Tensor, list[tuple[PixelBlock, Tensor]]]]:
        """Pixels inside or outside of some tiles, every so-manyth of each label and tile class.

        For each of these: the tiles that its pixels come from, and where they lie in which block.
        """
        listed = torch.tensor(sorted(tiles))
        sources: dict[tuple[int, int | None], list[PixelBlock]] = {k: [] for k in self.tile_counts}
        for block in [*self.blocks, *self.ignored]:
            label = IGNORE if block.label is None else block.label
            sources[label, block.tile_class].append(block)
        for key, blocks in sources.items():
            numbers = self.tiles_of(*key)
            kept = (torch.isin(numbers, listed) == inside).nonzero()[::every, 0]
            if not len(kept):
                continue
            parts, first = [], 0
            for block in blocks:
                stop = first + block.pixels.shape[1]
                own = (kept[(kept >= first) & (kept < stop)] - first).to(block.pixels.device)
                first = stop
                if len(own):
                    parts.append((block, own))
            yield key, numbers[kept], parts

    def _lengths(self, key: tuple[int, int | None]) -> list[int]:
        """Pixels of each block of a label and tile class."""
        return [b.pixels.shape[1] for b in self.blocks if (b.label, b.tile_class) == key]

    def validity(self, size: tuple[int, int]) -> Tensor:
        """Number of tiles that are labelled at each place ``[h, w]``, at the size of a query."""
        return torch.stack([labels_to_size(v, size) for v in self.validity_maps]).sum(dim=0)

    def _fill(
        self,
        features: Iterable[Tensor] | Tensor,
        maps: list[Tensor],
        storage: torch.dtype | None,
        tile_classes: Sequence[int | None] | None,
    ) -> None:
        """Read the tiles one by one into blocks of one label and tile class each."""
        own = tile_classes or [only_novel(m, self.num_base) for m in maps]
        self.tile_counts = counts_by_tile(maps, own, self.num_classes)
        writers: dict[tuple[int, int | None], BlockWriter] = {}
        finite, channels, number = True, 0, -1
        for number, (tile, label_map) in enumerate(paired(features, maps)):
            if number == 0:
                channels = tile.shape[0]
                kept = storage or (
                    tile.dtype if tile.dtype in (torch.float32, torch.float64) else torch.float32
                )
                writers = {
                    key: BlockWriter(channels, sum(n for _, n in parts), kept, tile.device)
                    for key, parts in self.tile_counts.items()
                }
            check_shape(number, tile, label_map, channels)
            finite = finite and all_finite(tile)
            flat, flat_labels = tile.flatten(1), label_map.flatten().to(tile.device)
            for key, writer in writers.items():
                if key[1] == own[number]:
                    writer.write(flat, (flat_labels == key[0]).nonzero()[:, 0])
        if not finite:
            raise DataError(
                "support: the features hold NaN or infinite values, but adaptation needs finite "
                "ones. The stage-1 network has most likely diverged: look at its training loss, "
                "or use full instead of half precision."
            )
        self.blocks: list[PixelBlock] = []
        self.ignored: list[PixelBlock] = []
        for (label, tile_class), writer in writers.items():
            ignored = label == IGNORE
            target = self.ignored if ignored else self.blocks
            for pixels in writer.blocks:
                target.append(PixelBlock(None if ignored else label, tile_class, pixels))
        self.counts = self.counts.to(self.blocks[0].pixels.device)
        self.validity_maps = [v.to(self.counts.device) for v in self.validity_maps]
