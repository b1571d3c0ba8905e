"""Loaders of a few-shot dataset for the Trainer: training, validation, support, query."""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from terrashot.data.feature_cache import FeatureCache
from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.query_tiles import QueryTiles, collate_queries, collate_query
from terrashot.data.sampling import EpochSampler
from terrashot.data.share import share_of
from terrashot.data.statistics import label_counts
from terrashot.data.support import SupportSet
from terrashot.data.tiles import Sample, TileDataset, collate
from terrashot.data.transforms import EvalTransform
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import Taxonomy


class FewShotDataModule(LightningDataModule):
    """The splits of a few-shot dataset as loaders.

    Training and validation loaders serve stage 1 (novel classes are background); the test loader
    serves the query tiles with all classes, one at a time. Samplers know their rank, so the
    Trainer must not wrap them: ``Trainer(use_distributed_sampler=False)``. It tells them the
    epoch through ``set_epoch``.

    Args:
        root: the dataset's folder.
        taxonomy: the classes.
        split: ``test`` or ``val``: which support and query set.
        train_transform: as in ``TileDataset``; None leaves tiles as they are.
        eval_size: side to which validation, support and query tiles are resized; None: native.
        batch_size: tiles a step and rank in training.
        eval_batch_size: tiles a step and rank in validation.
        num_workers: worker processes a loader; None chooses by cores and ranks.
        pin_memory: None: when there is a CUDA device.
        cache: keep decoded tiles in memory: true, false or ``auto`` (when there is room).
        seed: the run's seed; order and augmentation follow from it.
        hint: how to get the data, shown when the root is missing.
        maker: makes the data where they are missing; called once a machine, before anything
            else.
        support_draw: draws other support tiles from the pool; None: those of the split.
        train_share: share of the training tiles to use, chosen by ``seed``.
        spec: the channels of the images; None: 8-bit RGB.
        labels: what the label files hold where their pixels are no class ids, see ``LabelCodes``.
        open_layout: finds lists and files, for a dataset of another layout; None: a
            ``FewShotLayout`` of these options.

    Attributes:
        skip: names of query tiles that are done and that the test loader leaves out.
        feature_cache: features of tiles; query tiles found in it come without their image.
        feature_views: the views of a query tile whose features are needed.
        queries_per_batch: query tiles in a batch of the test loader.
    """

    def __init__(
        self,
        root: str | Path,
        taxonomy: Taxonomy,
        split: str = "test",
        train_transform: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        eval_size: int | None = None,
        batch_size: int = 8,
        eval_batch_size: int = 1,
        num_workers: int | None = None,
        pin_memory: bool | None = None,
        cache: bool | Literal["auto"] = "auto",
        seed: int = 0,
        hint: str = "",
        maker: Callable[[], object] | None = None,
        support_draw: int | None = None,
        train_share: float = 1.0,
        spec: ImageSpec | None = None,
        labels: Mapping[str, Any] | None = None,
        open_layout: Callable[[], FewShotLayout] | None = None,
    ) -> None:
        super().__init__()
        self.root = Path(root)
        self.taxonomy = taxonomy
        self.split = split
        self.train_transform = train_transform
        self.eval_transform = EvalTransform(eval_size)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.cache = cache
        self.seed = seed
        self.hint = hint
        self.maker = maker
        self.support_draw = support_draw
        self.train_share = train_share
        self.spec = spec or ImageSpec()
        self.codes = LabelCodes.of(labels, taxonomy)
        self.open_layout = open_layout
        self.skip: set[str] = set()
        self.feature_cache: FeatureCache | None = None
        self.feature_views: list[tuple[int, ...]] = [()]
        self.queries_per_batch = 1

    def prepare_data(self) -> None:
        """Make the data where a maker is given; the Trainer calls it on one process a machine."""
        if self.maker is not None:
            self.maker()

    def setup(self, stage: str | None = None) -> None:
        """Look for every listed file that ``stage`` needs.

        Raises:
            DataError: the root, a list or a listed file is missing or wrong.
        """
        if stage in ("fit", "validate", None):
            _ = self.train_tiles, self.layout.stage1_val
        if stage in ("test", "predict", None):
            _ = self.layout.support, self.layout.query

    @cached_property
    def layout(self) -> FewShotLayout:
        """The dataset's lists and files."""
        if self.open_layout is not None:
            return self.open_layout()
        return FewShotLayout(
            self.root,
            self.split,
            self.taxonomy.novel_ids,
            self.hint,
            self.support_draw,
            self.codes,
        )

    @cached_property
    def train_tiles(self) -> list[Tile]:
        """The labelled tiles that stage 1 trains on."""
        return share_of(self.layout.train, self.train_share, self.seed)

    @cached_property
    def support(self) -> SupportSet:
        """The support tiles, transformed like the query tiles."""
        return SupportSet(self.layout.support, self.taxonomy, self.eval_transform, spec=self.spec)

    @property
    def has_training_tiles(self) -> bool:
        """Whether the training list is here; stage 2 can do without."""
        return (self.root / "train.txt").is_file()

    def train_label_counts(self) -> Tensor:
        """Training pixels of each output of the base head, int64 [num_base]."""
        return label_counts(
            self.train_tiles, self.taxonomy, self.root, base_only=True, spec=self.spec
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Training tiles, shuffled and augmented by (seed, epoch); ranks get equal counts."""
        sampler = self._sampler(len(self.train_tiles), "wrap", shuffle=True)
        return self._loader(
            self._train_tiles,
            sampler,
            self.batch_size,
            # A last batch of one tile has no variance for a batch norm over pooled features.
            drop_last=len(sampler) > self.batch_size,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Stage-1 validation tiles; each counts once, whatever the number of ranks."""
        sampler = self._sampler(len(self.layout.stage1_val), "filler")
        return self._loader(self._val_tiles, sampler, self.eval_batch_size)

    def test_dataloader(self) -> DataLoader[Any]:
        """Query tiles that are not in ``skip``, all classes, each on one rank.

        Yields lists of ``queries_per_batch`` batches of one tile, see ``collate_query``.
        """
        tiles = [tile for tile in self.layout.query if tile.name not in self.skip]
        dataset = TileDataset(tiles, self.taxonomy, self.eval_transform, spec=self.spec)
        sampler = self._sampler(len(tiles), "none")
        queries = QueryTiles(dataset, self.feature_cache, self.feature_views)
        return self._loader(
            queries, sampler, batch_size=self.queries_per_batch, collate_fn=collate_queries
        )

    def all_queries(self) -> Iterator[dict[str, Any]]:
        """Every query tile as a batch of one, also those in ``skip``."""
        dataset = TileDataset(self.layout.query, self.taxonomy, self.eval_transform, spec=self.spec)
        queries = QueryTiles(dataset, self.feature_cache, self.feature_views)
        for index in range(len(queries)):
            yield collate_query(queries[index])

    def query_tile(self, name: str) -> Sample:
        """A query tile by its name, for pictures.

        Raises:
            KeyError: no query tile has this name.
        """
        tiles = [tile for tile in self.layout.query if tile.name == name]
        if not tiles:
            raise KeyError(name)
        return TileDataset(tiles, self.taxonomy, self.eval_transform, spec=self.spec)[0]

    def query_image(self, name: str) -> Tensor:
        """Image [C, H, W] of a query tile, for pictures of tiles that came without it."""
        return self.query_tile(name)["image"]

    @cached_property
    def _train_tiles(self) -> TileDataset:
        return self._stage1_tiles("train", self.train_transform)

    @cached_property
    def _val_tiles(self) -> TileDataset:
        return self._stage1_tiles("stage1_val", self.eval_transform)

    def _stage1_tiles(
        self, part: str, transform: Callable[[Any, Any], tuple[Any, Any]] | None
    ) -> TileDataset:
        return TileDataset(
            self.train_tiles if part == "train" else getattr(self.layout, part),
            self.taxonomy,
            transform,
            spec=self.spec,
            base_only=True,
            cache=self.cache,
            processes=self._local_ranks(),
        )

    def _loader(
        self,
        dataset: Dataset[Any],
        sampler: Sampler[Any],
        batch_size: int,
        drop_last: bool = False,
        collate_fn: Callable[[Any], Any] | None = None,
    ) -> DataLoader[Any]:
        workers = self.num_workers
        if workers is None:
            cores = available_cores() // self._local_ranks()
            workers = default_workers(cores, torch.cuda.is_available())
        workers = min(workers, len(dataset))  # type: ignore[arg-type] # all of ours have one
        pinned = torch.cuda.is_available() if self.pin_memory is None else self.pin_memory
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers > 0 else None,
            pin_memory=pinned,
            collate_fn=collate_fn or collate,
            # A loader draws from the global generator otherwise, and the network's own draws
            # would depend on how many loaders were started before.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def _sampler(
        self, size: int, surplus: Literal["wrap", "filler", "none"], shuffle: bool = False
    ) -> EpochSampler:
        """A sampler for the rank of this process in the run it belongs to."""
        rank, world_size = self._place()
        return EpochSampler(
            size, self.seed, shuffle=shuffle, rank=rank, world_size=world_size, surplus=surplus
        )

    def _place(self) -> tuple[int, int]:
        """Rank of this process and number of processes in the run it belongs to."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _local_ranks(self) -> int:
        """Processes of the run on this machine."""
        return 1 if self.trainer is None else max(1, self.trainer.num_devices)


def default_workers(cores: int, gpu: bool) -> int:
    """Worker processes that suit a rank with ``cores`` processor cores to itself.

    On two cores the network itself needs both, and a worker would only take turns with it; next
    to a GPU even one core is better spent on the next batch.
    """
    if cores <= 2:
        return 1 if gpu else 0
    return min(cores - 1, 8)


def available_cores() -> int:
    """Cores this process may use; a container or a scheduler can grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
