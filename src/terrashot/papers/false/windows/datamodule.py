"""Loaders for contrastive pretraining: windows without labels, and labelled ones to probe."""

from functools import cached_property
from typing import Any

from torch.utils.data import DataLoader

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.layout import Tile
from terrashot.data.share import share_of
from terrashot.data.tiles import TileDataset
from terrashot.errors import ConfigError
from terrashot.papers.false.windows.probe_windows import ProbeWindows
from terrashot.papers.false.windows.sampling import WindowSampler
from terrashot.papers.false.windows.two_views import TwoViews
from terrashot.papers.false.windows.unlabelled_windows import UnlabelledWindows, collate_views


class WindowDataModule(FewShotDataModule):
    """The training tiles as windows without labels; the stage-1 validation tiles as a probe.

    Args:
        views: makes the two views of a window.
        window: side of a window in tile pixels; None: whole images, and no probe.
        windows_per_tile: windows of a tile in an epoch.
        min_valid: share of a window that must have data.
        one_window_per_tile: no two windows of a tile in a batch.
        transductive: take the images of the query tiles of ``split`` too.
        probe_windows: labelled windows of a validation tile at most; 0: no probe, and no label is
            read at all.
        options: those of ``FewShotDataModule``; ``batch_size`` counts windows.
    """

    def __init__(
        self,
        views: TwoViews,
        window: int | None,
        windows_per_tile: int = 1,
        min_valid: float = 0.9,
        one_window_per_tile: bool = True,
        transductive: bool = False,
        probe_windows: int = 8,
        **options: Any,  # noqa: ANN401 - checked by FewShotDataModule
    ) -> None:
        super().__init__(**options)
        self.views = views
        self.window = window
        self.windows_per_tile = windows_per_tile
        self.min_valid = min_valid
        self.one_window_per_tile = one_window_per_tile
        self.transductive = transductive
        self.probe_windows = probe_windows

    def setup(self, stage: str | None = None) -> None:
        """Look for every file, and check that windows fit into tiles and batches into the tiles.

        Raises:
            DataError: a list or a file is missing, or a tile is smaller than the window.
            ConfigError: there are too few tiles for one batch.
        """
        self._window_sampler()
        _ = self.windows, self.probe

    @property
    def pool(self) -> list[Tile]:
        """The tiles whose images are learned from, without their labels."""
        tiles = share_of(self.layout.unlabelled_train, self.train_share, self.seed)
        if self.transductive:
            tiles += [Tile(tile.name, tile.image, None) for tile in self.layout.query]
        return tiles

    @cached_property
    def windows(self) -> UnlabelledWindows:
        """The windows to learn from."""
        tiles = TileDataset(
            self.pool,
            self.taxonomy,
            spec=self.spec,
            cache=self.cache,
            processes=self._local_ranks(),
        )
        return UnlabelledWindows(tiles, self.views, self.window, self.min_valid)

    @cached_property
    def probe(self) -> ProbeWindows | None:
        """The labelled windows; None where none are asked for."""
        if not self.probe_windows or self.window is None:
            return None
        tiles = self._stage1_tiles("stage1_val", None)
        return ProbeWindows(tiles, self.views, self.window, self.probe_windows)

    def train_dataloader(self) -> DataLoader[Any]:
        """Two views of each window; order, windows and views follow from (seed, epoch)."""
        return self._loader(
            self.windows,
            self._window_sampler(),
            self.batch_size,
            drop_last=True,
            collate_fn=collate_views,
        )

    def val_dataloader(self) -> Any:  # noqa: ANN401 - a loader, or none
        """Each probe window once, whatever the number of ranks; an empty list without a probe."""
        if self.probe is None:
            return []
        sampler = self._sampler(len(self.probe), "filler")
        return self._loader(self.probe, sampler, self.eval_batch_size, collate_fn=collate_views)

    def _window_sampler(self) -> WindowSampler:
        rank, world_size = 0, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        pool = len(self.pool)
        if self.windows_per_tile < 1:
            raise ConfigError(
                f"pretraining.windows_per_tile is {self.windows_per_tile}, but it must be 1 or "
                "more."
            )
        return WindowSampler(
            pool,
            self.windows_per_tile,
            self.batch_size,
            self.seed,
            rank=rank,
            world_size=world_size,
            one_per_batch=self.one_window_per_tile,
        )
