"""Loaders of a few-shot dataset for the Trainer: training, validation, support, query."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from torch.utils.data import DataLoader

from terrashot.data.feature_cache import FeatureCache
from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.loaders import Loaders
from terrashot.data.query_tiles import QueryTiles, collate_queries, collate_query
from terrashot.data.share import share_of
from terrashot.data.statistics import label_counts
from terrashot.data.support import SupportSet
from terrashot.data.tiles import Sample, TileDataset
from terrashot.data.transforms import EvalTransform
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import Taxonomy


class FewShotDataModule(Loaders):
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
        eval_nearest: how their labels are, see ``EvalTransform``.
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
        eval_nearest: str = "exact",
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
        super().__init__(batch_size, eval_batch_size, num_workers, pin_memory, seed)
        self.root = Path(root)
        self.taxonomy = taxonomy
        self.split = split
        self.train_transform = train_transform
        self.eval_transform = EvalTransform(eval_size, eval_nearest)
        self.cache = cache
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
        return self._training(self._train_tiles)

    def val_dataloader(self) -> DataLoader[Any]:
        """Stage-1 validation tiles; each counts once, whatever the number of ranks."""
        return self._validation(self._val_tiles)

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
