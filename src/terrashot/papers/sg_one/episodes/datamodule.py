"""Loaders of episodes for the Trainer."""

from functools import cached_property
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.tiles import TileDataset
from terrashot.papers.sg_one.episodes.dataset import EpisodeDataset, collate_episodes
from terrashot.papers.sg_one.episodes.index import EpisodeIndex
from terrashot.papers.sg_one.episodes.rules import EpisodeRules
from terrashot.papers.sg_one.episodes.sampler import EpisodeSampler


class EpisodeDataModule(FewShotDataModule):
    """Episodes of base classes for training and validation; query tiles for the test, as ever.

    Args:
        rules: What a window of an episode must show.
        train_episodes: An epoch, over all processes.
        val_episodes: A fixed list over the stage-1 validation tiles.
        val_seed: Of that list; apart from the run's seed, so that runs can be compared.
        options: As ``FewShotDataModule``; a batch is ``batch_size`` episodes.
    """

    def __init__(
        self,
        *,
        rules: EpisodeRules,
        train_episodes: int,
        val_episodes: int,
        val_seed: int = 0,
        **options: Any,  # noqa: ANN401 - see FewShotDataModule
    ) -> None:
        super().__init__(**options)
        self.rules = rules
        self.train_episodes = train_episodes
        self.val_episodes = val_episodes
        self.val_seed = val_seed

    def setup(self, stage: str | None = None) -> None:
        """Also look through the labels for windows, where ``stage`` trains.

        Raises:
            DataError: as ``FewShotDataModule``, or there is no episode to draw.
        """
        super().setup(stage)
        if stage in ("fit", None):
            _ = self._train_set, self._val_set

    def train_dataloader(self) -> DataLoader[Any]:
        """Episodes of base classes by (seed, epoch)."""
        rank, world_size = self._place()
        sampler = EpisodeSampler(
            self._train_set.index,
            self.train_episodes,
            self.seed,
            rank=rank,
            world_size=world_size,
        )
        return self._loader(self._train_set, sampler, self.batch_size, collate_fn=collate_episodes)

    def val_dataloader(self) -> DataLoader[Any]:
        """The fixed episodes of base classes on validation tiles."""
        rank, world_size = self._place()
        sampler = EpisodeSampler(
            self._val_set.index,
            self.val_episodes,
            self.val_seed,
            fixed=True,
            rank=rank,
            world_size=world_size,
        )
        return self._loader(
            self._val_set, sampler, self.eval_batch_size, collate_fn=collate_episodes
        )

    def query_pixels(self) -> dict[str, np.ndarray]:
        """Labelled pixels of each class [K] by query tile; tiles without a label are left out."""
        tiles = [tile for tile in self.layout.query if tile.label is not None]
        dataset = TileDataset(tiles, self.taxonomy, spec=self.spec)
        size = self.taxonomy.num_classes
        return {
            tile.name: np.bincount(dataset.label(i).reshape(-1), minlength=256)[:size]
            for i, tile in enumerate(tiles)
        }

    @cached_property
    def _train_set(self) -> EpisodeDataset:
        return self._episodes("train", self.train_transform)

    @cached_property
    def _val_set(self) -> EpisodeDataset:
        return self._episodes("stage1_val", None)

    def _episodes(self, part: str, augment: Any) -> EpisodeDataset:  # noqa: ANN401
        tiles = self._stage1_tiles(part, None)
        file = str(self.root / f"{part}.txt")
        index = EpisodeIndex(tiles, self.rules, self.taxonomy, file)
        return EpisodeDataset(tiles, index, self.taxonomy, augment)
