"""The dataset of tiles: an image and its mask at a time, transformed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from terrashot.data.layout import Tile
from terrashot.data.memory import TileMemory, free_memory
from terrashot.data.reading import (
    check_same_place,
    empty_pixels,
    image_size,
    read_label,
    read_placed_label,
    read_tile,
)
from terrashot.data.transforms import EvalTransform
from terrashot.errors import ConfigError, DataError
from terrashot.image_spec import ImageSpec, as_unit
from terrashot.taxonomy import IGNORE, Taxonomy

Transform = Callable[[Any, Any], tuple[Any, Any]]
FILLER = -1
"""Seed of a sample that only keeps ranks in step: its mask is all ignore, so it never counts."""


class Sample(TypedDict):
    """What a dataset yields; a batch has the same keys.

    ``image`` float32 [C, H, W] in 0..1, ``mask`` int64 [H, W], ``name`` of the tile.
    """

    image: Tensor
    mask: Tensor
    name: str


class TileDataset(Dataset[Sample]):
    """Tiles as samples.

    ``dataset[index]`` or ``dataset[index, seed]``. With a seed, the transform draws from a
    generator seeded with it, so a sample depends on nothing but index and seed: not on the
    worker that makes it, and not on what was drawn before. With the seed ``FILLER`` the mask is
    all ignore.

    Args:
        tiles: the tiles; one without a label gets a mask that is all ignore.
        taxonomy: the classes a label may hold.
        transform: takes and returns ``(image, mask)``, ``tv_tensors`` [C, H, W], bytes or floats
            in 0..1, and uint8 [H, W], which it must not write into (they may be the cached
            ones); the image may come back as float in 0..1.
        spec: the channels of the images; None: 8-bit RGB.
        base_only: novel classes become background, as stage 1 sees them.
        cache: keep decoded tiles in memory; ``auto``: when all of them take less than a quarter
            of the free memory.
        processes: how many processes on this machine build such a dataset (``auto`` leaves each
            of them its part).

    Raises:
        ConfigError: ``cache`` is something else.
        DataError: the cache is asked for and a file is missing or damaged.
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        taxonomy: Taxonomy,
        transform: Transform | None = None,
        *,
        spec: ImageSpec | None = None,
        base_only: bool = False,
        cache: bool | Literal["auto"] = False,
        processes: int = 1,
    ) -> None:
        self.tiles = list(tiles)
        self.taxonomy = taxonomy
        self.transform = transform
        self.spec = spec or ImageSpec()
        self._allowed = {*range(taxonomy.num_classes), IGNORE}
        self._table = np.arange(256, dtype=np.uint8)
        if base_only:
            self._table[taxonomy.novel_ids] = 0
        self._memory: TileMemory | None = None
        if cache not in (True, False, "auto"):
            raise ConfigError(
                f"data.cache is '{cache}', but it must be true, false or auto (cache where the "
                "decoded tiles take less than a quarter of the free memory)."
            )
        if cache:
            sizes = [image_size(tile.image) for tile in self.tiles]
            memory = TileMemory(sizes, self.spec)
            if cache is True or memory.size * processes < free_memory() / 4:
                self._memory = memory

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.tiles)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """The sample at ``index`` or ``(index, seed)``.

        Raises:
            DataError: as ``load``.
        """
        index, seed = key if isinstance(key, tuple) else (key, None)
        array, label = self.load(index)
        return make_sample(array, label, self.tiles[index].name, self.transform, seed)

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image [C, H, W] and label uint8 [H, W] of a tile, not transformed; read only.

        Pixels that hold no data are 0 in the image and ``IGNORE`` in the label.

        Returns:
            image: bytes, or float32 in 0..1 where the images are scaled; label.

        Raises:
            DataError: a file is damaged or of the wrong kind, a label id is unknown, or image
                and label differ in size or lie elsewhere.
        """
        held = self._memory.get(index) if self._memory is not None else None
        if held is not None:
            return held
        tile = self.tiles[index]
        image = read_tile(tile.image, self.spec)
        size = image.valid.shape
        if tile.label is None:
            label = np.full(size, IGNORE, dtype=np.uint8)
        else:
            ids, place = read_placed_label(tile.label, self._allowed, tile.codes)
            if ids.shape != size:
                self._raise_sizes(tile, size, ids.shape)
            check_same_place(image.raster, tile.label, place)
            label = np.where(image.valid, self._table[ids], np.uint8(IGNORE))
        if self._memory is not None:
            self._memory.put(index, image.pixels, label)
        return image.pixels, label

    def label(self, index: int) -> np.ndarray:
        """Label uint8 [H, W] of a tile, not transformed, ``IGNORE`` where its image is empty.

        The image itself is read only where it may have empty pixels.

        Raises:
            DataError: a file is damaged or holds an unknown id.
        """
        tile = self.tiles[index]
        held = self._memory.get(index) if self._memory is not None else None
        if held is not None:
            return held[1]
        if tile.label is None:
            return np.full(image_size(tile.image), IGNORE, dtype=np.uint8)
        label = np.asarray(self._table[read_label(tile.label, self._allowed, tile.codes)])
        empty = empty_pixels(tile.image, self.spec)
        if empty is not None and empty.shape == label.shape:
            label[empty] = IGNORE
        return label

    def mask(self, index: int, expected: tuple[int, ...] | None = None) -> Tensor:
        """Mask int64 [h, w] of a sample, transformed as with its image.

        Args:
            index: the tile.
            expected: height and width of the transformed image, where they are known.

        Raises:
            DataError: as ``label``, or the size is not as expected.
        """
        label = torch.from_numpy(self.label(index))
        if self.transform is not None:
            assert isinstance(self.transform, EvalTransform)
            label = self.transform.mask(label)
        if expected is not None and tuple(label.shape) != expected:
            self._raise_sizes(self.tiles[index], expected, tuple(label.shape))
        return label.long()

    def _raise_sizes(self, tile: Tile, image: Sequence[int], label: Sequence[int]) -> NoReturn:
        raise DataError(
            f"{tile.image} is {image[1]} x {image[0]} pixels, but its label {tile.label} is "
            f"{label[1]} x {label[0]}. Both must have the same size, pixel on "
            "pixel. Write the label anew on the grid of the image (`gdalwarp -r near`), or "
            "take the tile off its list."
        )


def make_sample(
    image: np.ndarray,
    label: np.ndarray,
    name: str,
    transform: Transform | None = None,
    seed: int | None = None,
) -> Sample:
    """A sample from arrays.

    Args:
        image: Bytes, or float32 in 0..1 [C, H, W].
        label: uint8 [H, W].
        name: What to call it.
        transform: See ``TileDataset``.
        seed: What the transform draws from; ``FILLER``: the mask is all ignore; None: the global
            generator.
    """
    picture: Tensor = tv_tensors.Image(torch.from_numpy(image))
    mask: Tensor = tv_tensors.Mask(torch.from_numpy(label))
    if transform is not None:
        if seed is None or seed == FILLER:
            picture, mask = transform(picture, mask)
        else:
            with torch.random.fork_rng(devices=[]):
                # torch.manual_seed would also reseed the GPUs, which are not forked here.
                torch.default_generator.manual_seed(seed)
                picture, mask = transform(picture, mask)
    plain = as_unit(picture.as_subclass(Tensor))
    target = mask.as_subclass(Tensor).long()
    if seed == FILLER:
        target = torch.full_like(target, IGNORE)
    return {"image": plain, "mask": target, "name": name}


def collate(samples: Sequence[Sample]) -> dict[str, Any]:
    """Stack samples; smaller ones are filled up at the right and bottom.

    Returns:
        ``image`` [B, C, H, W] filled with 0, ``mask`` [B, H, W] filled with ``IGNORE``,
        ``name`` a list. H and W are the largest of the batch.
    """
    height = max(s["image"].shape[1] for s in samples)
    width = max(s["image"].shape[2] for s in samples)
    channels = samples[0]["image"].shape[0]
    images = torch.zeros(len(samples), channels, height, width)
    masks = torch.full((len(samples), height, width), IGNORE, dtype=torch.int64)
    for image, mask, sample in zip(images, masks, samples, strict=True):
        h, w = sample["mask"].shape
        image[:, :h, :w] = sample["image"]
        mask[:h, :w] = sample["mask"]
    return {"image": images, "mask": masks, "name": [s["name"] for s in samples]}
