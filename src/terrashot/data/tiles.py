"""The dataset of tiles: an image and its mask at a time, transformed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from terrashot.data.layout import Tile
from terrashot.data.memory import TileMemory, free_memory
from terrashot.data.reading import image_size, read_image, read_label
from terrashot.errors import ConfigError, DataError
from terrashot.taxonomy import Taxonomy

FILLER = -1
"""Seed of a sample that only keeps ranks in step: its mask is all ignore, so it never counts."""


class Sample(TypedDict):
    """What a dataset yields; a batch has the same keys.

    ``image`` float32 [3, H, W] in 0..1, ``mask`` int64 [H, W], ``name`` of the tile.
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
        transform: takes and returns ``(image, mask)``, uint8 ``tv_tensors`` [3, H, W] and
            [H, W], which it must not write into (they may be the cached ones); the image may
            come back as float in 0..1.
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
        transform: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        *,
        base_only: bool = False,
        cache: bool | Literal["auto"] = False,
        processes: int = 1,
    ) -> None:
        self.tiles = list(tiles)
        self.taxonomy = taxonomy
        self.transform = transform
        self._allowed = {*range(taxonomy.num_classes), taxonomy.ignore_index}
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
            needed = sum(4 * h * w for h, w in sizes)
            if cache is True or needed * processes < free_memory() / 4:
                self._memory = TileMemory(sizes)

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
        image: Tensor = tv_tensors.Image(torch.from_numpy(array))
        mask: Tensor = tv_tensors.Mask(torch.from_numpy(label))
        if self.transform is not None:
            if seed is None or seed == FILLER:
                image, mask = self.transform(image, mask)
            else:
                with torch.random.fork_rng(devices=[]):
                    # torch.manual_seed would also reseed the GPUs, which are not forked here.
                    torch.default_generator.manual_seed(seed)
                    image, mask = self.transform(image, mask)
        plain = image.as_subclass(Tensor)
        plain = plain.float().div_(255) if plain.dtype == torch.uint8 else plain
        target = mask.as_subclass(Tensor).long()
        if seed == FILLER:
            target = torch.full_like(target, self.taxonomy.ignore_index)
        return {"image": plain, "mask": target, "name": self.tiles[index].name}

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 [3, H, W] and label uint8 [H, W] of a tile, not transformed; read only.

        Raises:
            DataError: a file is damaged or of the wrong kind, a label id is unknown, or image
                and label differ in size.
        """
        held = self._memory.get(index) if self._memory is not None else None
        if held is not None:
            return held
        tile = self.tiles[index]
        image = read_image(tile.image)
        height, width = image.shape[1:]
        if tile.label is None:
            label = np.full((height, width), self.taxonomy.ignore_index, dtype=np.uint8)
        else:
            label = self._table[read_label(tile.label, self._allowed)]
        if label.shape != (height, width):
            raise DataError(
                f"{tile.image} is {width} x {height} pixels, but its label {tile.label} is "
                f"{label.shape[1]} x {label.shape[0]}. Both must have the same size, pixel on "
                "pixel. Write the label anew on the grid of the image (`gdalwarp -r near`), or "
                "take the tile off its list."
            )
        if self._memory is not None:
            self._memory.put(index, image, label)
        return image, label


def collate(samples: Sequence[Sample], ignore_index: int) -> dict[str, Any]:
    """Stack samples; smaller ones are filled up at the right and bottom.

    Returns:
        ``image`` [B, 3, H, W] filled with 0, ``mask`` [B, H, W] filled with ``ignore_index``,
        ``name`` a list. H and W are the largest of the batch.
    """
    height = max(s["image"].shape[1] for s in samples)
    width = max(s["image"].shape[2] for s in samples)
    images = torch.zeros(len(samples), 3, height, width)
    masks = torch.full((len(samples), height, width), ignore_index, dtype=torch.int64)
    for image, mask, sample in zip(images, masks, samples, strict=True):
        h, w = sample["mask"].shape
        image[:, :h, :w] = sample["image"]
        mask[:h, :w] = sample["mask"]
    return {"image": images, "mask": masks, "name": [s["name"] for s in samples]}
