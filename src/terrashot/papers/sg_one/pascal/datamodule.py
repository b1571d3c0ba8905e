"""Loaders of a fold: training and validation episodes of base classes, test episodes of novel."""

from functools import cached_property
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from terrashot.data.tiles import TileDataset
from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
from terrashot.papers.sg_one.episodes.dataset import EpisodeDataset
from terrashot.papers.sg_one.episodes.index import EpisodeIndex
from terrashot.papers.sg_one.pascal.episodes import FoldEpisode, FoldQueries, fold_episodes


class FoldDataModule(EpisodeDataModule):
    """Episodes of a fold.

    Unlike in a dataset of land cover the labels of novel classes are looked at while training
    episodes are drawn: an image that shows one is left out where ``rules.alone`` asks for images
    of one class. They are background otherwise.

    Args:
        test_episodes: The length of the list that the fold is scored on.
        shots: Support images of its episodes.
        options: As ``EpisodeDataModule``.
    """

    def __init__(self, *, test_episodes: int, shots: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.test_episodes = test_episodes
        self.shots = shots

    def setup(self, stage: str | None = None) -> None:
        """Look through the labels, where ``stage`` trains, and draw the list of the test.

        Raises:
            DataError: a listed file is missing, or there is no episode to draw.
        """
        if stage in ("fit", None):
            _ = self._train_set, self._val_set
        _ = self.episodes

    @cached_property
    def images(self) -> TileDataset:
        """The images of the test, whole, with all classes."""
        return TileDataset(
            self.layout.stage1_val, self.taxonomy, self.eval_transform, spec=self.spec
        )

    @cached_property
    def episodes(self) -> list[FoldEpisode]:
        """The list that the fold is scored on."""
        shown: dict[int, list[int]] = {class_id: [] for class_id in self.taxonomy.novel_ids}
        for index in range(len(self.images)):
            counts = np.bincount(self.images.label(index).reshape(-1), minlength=256)
            for class_id, found in shown.items():
                if counts[class_id] >= self.rules.min_pixels:
                    found.append(index)
        return fold_episodes(shown, self.test_episodes, self.val_seed, self.shots)

    def test_dataloader(self) -> DataLoader[Any]:
        """The episodes one by one, each on one rank."""
        queries = FoldQueries(self.images, self.episodes)
        sampler = self._sampler(len(queries), "none")
        return self._loader(queries, sampler, 1, collate_fn=_only)

    def _episodes(self, part: str, augment: Any) -> EpisodeDataset:  # noqa: ANN401
        tiles = TileDataset(
            self.train_tiles if part == "train" else self.layout.stage1_val,
            self.taxonomy,
            spec=self.spec,
            cache=self.cache,
            processes=self._local_ranks(),
        )
        file = f"{self.root} ({'training' if part == 'train' else 'val.txt'})"
        index = EpisodeIndex(tiles, self.rules, self.taxonomy, file)
        return EpisodeDataset(tiles, index, self.taxonomy, augment)


def _only(samples: list[Any]) -> Any:  # noqa: ANN401 - the one sample of a batch
    return samples[0]
