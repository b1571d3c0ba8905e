"""Windows for weak-shot classification: noisy novel ones, clean base ones, clean ones to test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.loaders import available_cores, default_workers
from terrashot.data.sampling import EpochSampler
from terrashot.data.tiles import TileDataset
from terrashot.data.transforms import TrainTransform
from terrashot.papers.simtrans.patches.dataset import PatchDataset
from terrashot.papers.simtrans.patches.grid import Patch
from terrashot.papers.simtrans.patches.noise import NoiseModel, NovelSource
from terrashot.papers.simtrans.patches.sampler import PassSampler
from terrashot.papers.simtrans.patches.select import base_patches, need_windows, novel_patches
from terrashot.papers.simtrans.patches.units import chosen_per_class


class WeakShotData(LightningDataModule):
    """Loaders of windows; novel labels of the training set are noisy.

    Novel windows come from the support tiles, base windows from training tiles, test windows from
    query tiles (novel) and from the stage-1 validation tiles (base): no tile serves two of them.

    Args:
        data: The dataset.
        size: Side of a window.
        noise: Gives novel windows their labels.
        with_base: Train and test on base classes too.
        base_windows: Most clean windows of a base class.
        batch_sizes: Windows a batch and process in each pass of an epoch.
        transform: Augmentation.
        anchors: Clean base windows of each class that weights may be corrected by.
        left_out: Novel classes whose objects are smaller than a window.
        seed: Of the run.

    Attributes:
        windows: Training windows; a window's number is what its weight is kept under.
        test: Test windows.
        novel_ids: Ids of the novel classes that are not left out.
        anchors: Numbers of clean base windows in ``windows.tiles`` order by class id.

    Raises:
        DataError: a class without windows.
    """

    def __init__(
        self,
        data: FewShotDataModule,
        size: int,
        noise: NoiseModel,
        with_base: bool,
        base_windows: int,
        batch_sizes: list[int],
        transform: TrainTransform | None = None,
        anchors: int = 64,
        left_out: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.batch_sizes = batch_sizes
        self.num_workers = data.num_workers
        taxonomy, layout = data.taxonomy, data.layout
        self.novel_ids = [c.index for c in taxonomy.novel if c.name not in left_out]
        support = data.support
        tiles = TileDataset(
            [*support.tiles, *data.train_tiles], taxonomy, cache=data.cache, spec=data.spec
        )
        base = [p for p in base_patches(tiles, size) if p.tile >= len(support)]
        kept = set(chosen_per_class(np.array([p.label for p in base]), base_windows, seed))
        clean = [p for i, p in enumerate(base) if i in kept]
        # What stands in as an outlier must not be among the clean windows that judge it.
        rest = [p for i, p in enumerate(base) if i not in kept]
        source = NovelSource(tiles, support.class_ids, size, rest)
        noisy = [p for p in noise.draw(source, seed) if p.label in self.novel_ids]
        need_windows(noisy, self.novel_ids, taxonomy, 4, "support tiles, noisy novel windows")
        own = clean if with_base else []
        self.windows = PatchDataset(tiles, [*noisy, *own], size, transform)
        self.anchor_windows = PatchDataset(tiles, clean, size)
        self.anchors = _by_class(clean, anchors)
        scored = TileDataset(
            [*layout.query, *layout.stage1_val], taxonomy, cache=data.cache, spec=data.spec
        )
        novel = [
            p
            for p in novel_patches(scored, size)
            if p.tile < len(layout.query) and p.label in self.novel_ids
        ]
        need_windows(novel, self.novel_ids, taxonomy, 1, "query tiles, novel test windows")
        known = [p for p in base_patches(scored, size) if p.tile >= len(layout.query)]
        self.test = PatchDataset(scored, [*novel, *(known if with_base else [])], size)

    @property
    def first_pass(self) -> int:
        """Batches of this process in the first pass of an epoch."""
        return self._sampler().batches(0)

    def train_dataloader(self) -> DataLoader[Any]:
        """Pass after pass, shuffled and augmented by seed and epoch alone."""
        return self._loader(self.windows, batch_sampler=self._sampler())

    def test_dataloader(self) -> DataLoader[Any]:
        """Each test window on one process."""
        rank, world_size = self._place
        sampler = EpochSampler(
            len(self.test), self.seed, rank=rank, world_size=world_size, surplus="none"
        )
        return self._loader(self.test, sampler=sampler, batch_size=64)

    def _sampler(self) -> PassSampler:
        rank, world_size = self._place
        return PassSampler(
            len(self.windows), self.batch_sizes, self.seed, rank=rank, world_size=world_size
        )

    @property
    def _place(self) -> tuple[int, int]:
        """Rank and number of processes."""
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)

    def _loader(self, windows: PatchDataset, **how: Any) -> DataLoader[Any]:  # noqa: ANN401
        workers = self.num_workers
        if workers is None:
            workers = default_workers(available_cores() // self._place[1], False)
        return DataLoader(windows, num_workers=workers, persistent_workers=workers > 0, **how)


def _by_class(patches: list[Patch], count: int) -> dict[int, list[int]]:
    """Numbers of up to ``count`` windows of each class, evenly spaced."""
    found: dict[int, list[int]] = {}
    for number, patch in enumerate(patches):
        found.setdefault(patch.label, []).append(number)
    return {c: rows[:: max(1, len(rows) // count)][:count] for c, rows in sorted(found.items())}
