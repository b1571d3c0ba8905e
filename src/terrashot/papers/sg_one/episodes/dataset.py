"""Episodes as samples: two windows and their binary masks."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from terrashot.data.tiles import FILLER, TileDataset
from terrashot.data.windows import Window
from terrashot.papers.sg_one.episodes.index import EpisodeIndex
from terrashot.papers.sg_one.episodes.sampler import Episode
from terrashot.taxonomy import IGNORE, Taxonomy


class EpisodeSample(TypedDict):
    """One episode.

    Images float32 [3, crop, crop] in 0..1; masks int64 [crop, crop]: 1 the class, 0 not the class,
    ``IGNORE`` where that is not known. ``name`` says class and tiles.
    """

    support_image: Tensor
    support_mask: Tensor
    query_image: Tensor
    query_mask: Tensor
    class_id: int
    name: str


class EpisodeDataset(Dataset[EpisodeSample]):
    """``dataset[episode]`` is the sample of an ``Episode``, which it depends on alone.

    Args:
        tiles: Tiles without a transform, base classes only.
        index: Windows of the tiles.
        taxonomy: Names of the classes.
        augment: ``TrainTransform`` with the windows' side as its crop; None for none. Where a draw
            of it leaves no pixel of the class, or none of anything else, the window stays plain.
    """

    def __init__(
        self,
        tiles: TileDataset,
        index: EpisodeIndex,
        taxonomy: Taxonomy,
        augment: Callable[[Any, Any], tuple[Any, Any]] | None = None,
    ) -> None:
        self.tiles = tiles
        self.index = index
        self.taxonomy = taxonomy
        self.augment = augment

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.tiles)

    def __getitem__(self, episode: Episode) -> EpisodeSample:
        """The sample of an episode.

        Raises:
            DataError: a file is damaged, or image and label differ in size.
        """
        filler = episode.seed == FILLER
        generator = np.random.default_rng(0 if filler else episode.seed)
        support = self._window(episode.support, episode.class_id, generator)
        query = self._window(episode.query, episode.class_id, generator)
        if filler:
            query[1].fill_(IGNORE)
        names = [self.tiles.tiles[i].name for i in (episode.support, episode.query)]
        return {
            "support_image": support[0],
            "support_mask": support[1],
            "query_image": query[0],
            "query_mask": query[1],
            "class_id": episode.class_id,
            "name": f"{self.taxonomy.names[episode.class_id]}: {names[0]}, {names[1]}",
        }

    def _window(
        self, tile: int, class_id: int, generator: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        rules = self.index.rules
        array, label = self.tiles.load(tile)
        top, left = self.index.draw(tile, class_id, generator)
        image = torch.from_numpy(array[:, top : top + rules.crop, left : left + rules.crop])
        binary = rules.binary(label[top : top + rules.crop, left : left + rules.crop], class_id)
        mask = torch.from_numpy(binary)
        seed = int(generator.integers(2**32))
        if self.augment is not None:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                turned, moved = self.augment(tv_tensors.Image(image), tv_tensors.Mask(mask))
            if bool((moved == 1).any()) and bool((moved == 0).any()):
                return turned.as_subclass(Tensor), moved.as_subclass(Tensor).long()
        # A tile smaller than the window is filled up all around.
        middle = (mask.shape[1] / 2, mask.shape[0] / 2)
        image, mask = Window(rules.crop, middle).cut(image, mask)
        return image, mask.long()


def collate_episodes(samples: Sequence[EpisodeSample]) -> dict[str, Any]:
    """A batch of episodes: tensors stacked, ``class_id`` a tensor [B], ``name`` a list."""
    batch: dict[str, Any] = {
        key: torch.stack([sample[key] for sample in samples])
        for key in ("support_image", "support_mask", "query_image", "query_mask")
    }
    batch["class_id"] = torch.tensor([sample["class_id"] for sample in samples])
    batch["name"] = [sample["name"] for sample in samples]
    return batch
