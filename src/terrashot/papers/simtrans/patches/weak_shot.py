"""Windows for weak-shot classification: noisy novel ones, clean base ones, clean ones to test."""

from collections.abc import Sequence

import numpy as np

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.tiles import TileDataset
from terrashot.data.transforms import TrainTransform
from terrashot.papers.simtrans.patches.dataset import PatchDataset
from terrashot.papers.simtrans.patches.grid import Patch
from terrashot.papers.simtrans.patches.noise import NoiseModel, NovelSource
from terrashot.papers.simtrans.patches.select import base_patches, need_windows, novel_patches
from terrashot.papers.simtrans.patches.units import chosen_per_class
from terrashot.papers.simtrans.patches.weighted_loaders import WeightedLoaders


class WeakShotData(WeightedLoaders):
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

    windows: PatchDataset
    test: PatchDataset

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
        windows = PatchDataset(tiles, [*noisy, *own], size, transform)
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
        test = PatchDataset(scored, [*novel, *(known if with_base else [])], size)
        super().__init__(windows, test, batch_sizes, seed, data.num_workers)


def _by_class(patches: list[Patch], count: int) -> dict[int, list[int]]:
    """Numbers of up to ``count`` windows of each class, evenly spaced."""
    found: dict[int, list[int]] = {}
    for number, patch in enumerate(patches):
        found.setdefault(patch.label, []).append(number)
    return {c: rows[:: max(1, len(rows) // count)][:count] for c, rows in sorted(found.items())}
