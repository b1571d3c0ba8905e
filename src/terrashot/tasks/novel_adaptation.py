"""Stage 2: adapt a frozen segmenter's head to novel classes, query by query, and score it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from terrashot.adaptation.adapter import Adapter
from terrashot.adaptation.base_only import BaseOnly
from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.inference import Inference, View, flip
from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.adaptation.support import SupportPixels, storage_type
from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.feature_cache import TileFeatures
from terrashot.errors import ConfigError
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import GfssScores, gfss_scores
from terrashot.networks.segmenter import Segmenter
from terrashot.tasks.query_counts import QueryCounts, QueryStore
from terrashot.tasks.support_tiles import SupportTiles
from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class AdaptationResult:
    """Scores over all queries, of the adapted heads and of the stage-1 head on the same tiles."""

    confusion: Tensor
    scores: GfssScores
    base_scores: GfssScores
    queries: int
    seconds_per_query: float
    diverged: int
    adaptation_seconds_per_query: float


class NovelAdaptation(LightningModule):
    """Evaluates one method: ``Trainer.test`` with a ``FewShotDataModule``.

    The support is turned into features once. Each query (one tile a batch, see
    ``collate_query``) is adapted to, mapped and counted. Features come from the data module's
    cache where it has one, with the very same numbers. Counts are kept in ``store``, so that an
    interrupted evaluation goes on with the queries that are left. Logs ``test/base_miou``,
    ``test/novel_miou``, ``test/weighted_miou``, ..., ``test/iou/<class>``, and, query by query,
    ``running/...`` of this process.

    Args:
        segmenter: the stage-1 network; frozen.
        adapter: the method.
        taxonomy: the classes of the data, novel ones included.
        store: where counts of finished queries are kept.
        feature_stride: the adaptation runs on features of this stride (average pooling); None:
            native. The map is always made at native stride.
        align_corners: of the upsampling of probabilities; True as published.
        inference: flips and smoothing of the map; None for neither. The stage-1 head's map beside
            it has neither.
        seed: of everything random in the method.
        base_weight: weight of the base mean in the weighted mIoU.
        novel_weight: weight of the novel mean in it.
        storage: what the support's features are kept in: float32, bfloat16 or float64.
        joint: joint self-training over all queries, a protocol of its own; None: each query is
            adapted to by itself.

    Raises:
        ConfigError: ``feature_stride`` is no multiple of the network's stride, or the storage is
            unknown.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        adapter: Adapter,
        taxonomy: Taxonomy,
        store: QueryStore,
        feature_stride: int | None = None,
        align_corners: bool = False,
        seed: int = 0,
        base_weight: float = 0.4,
        novel_weight: float = 0.6,
        inference: Inference | None = None,
        storage: str = "float32",
        joint: JointSelfTraining | None = None,
    ) -> None:
        super().__init__()
        self.segmenter = segmenter.eval().requires_grad_(False)
        stride = segmenter.stride if feature_stride is None else feature_stride
        if stride % segmenter.stride:
            raise ConfigError(
                f"adaptation.feature_stride is {stride}, but the network's features have stride "
                f"{segmenter.stride}; it must be a multiple of that, or null."
            )
        self.factor = stride // segmenter.stride
        self.adapter = adapter
        self.base_model = BaseOnly()
        self.taxonomy = taxonomy
        self.store = store
        self.align_corners = align_corners
        self.inference = inference or Inference()
        self.storage = storage_type(storage)
        self.joint = joint
        self.seed = seed
        self.weights = {"base_weight": base_weight, "novel_weight": novel_weight}
        # Counts of this process; summed over processes when all queries are done.
        self._counts = torch.zeros(2, taxonomy.num_classes, taxonomy.num_classes).long()
        self._totals = torch.zeros(4)  # queries, seconds, diverged, adapting
        self._result: AdaptationResult | None = None

    @property
    def result(self) -> AdaptationResult:
        """What the last whole evaluation came to."""
        if self._result is None:
            raise RuntimeError("the result is there once Trainer.test has ended")
        return self._result

    def setup(self, stage: str) -> None:
        """Leave out the queries that an interrupted evaluation has finished."""
        data = self._data
        queries = {tile.name for tile in data.layout.query}
        finished = [counts for counts in self.store.load() if counts.name in queries]
        data.skip = {counts.name for counts in finished}
        data.feature_views = self.inference.views()
        # Counts are summed over processes at the end, so only one may bring the old ones.
        self._finished = finished if self.trainer.is_global_zero else []

    def on_test_start(self) -> None:
        """Turn the support into features and let the method take it in."""
        data = self._data
        self._tiles = SupportTiles(
            data.support,
            self.taxonomy,
            self._support_features,
            stride=self.segmenter.stride,
            factor=self.factor,
            storage=self.storage,
            device=self.device,
        )
        self._base_counts = data.train_label_counts() if data.has_training_tiles else None
        self._fit(self._tiles.pixels(), self.base_model, self.adapter)
        if self.joint is not None:
            self._learn_jointly(self.joint)
        for counted in self._finished:
            self._add(counted)

    def test_step(self, batch: dict[str, Any], batch_index: int) -> dict[str, Any]:
        """Adapt to one query, map it, count it, keep the counts.

        Returns the prediction; the image beside it only where the tile came with one.
        """
        mask, name = batch["mask"][0], batch["name"][0]
        size = (mask.shape[0], mask.shape[1])
        views = self._query_views(batch)
        features, content = views[0].features, views[0].content
        began = self._now()
        # Autocast would take the adaptation to half precision, where its small steps are lost.
        with torch.autocast(self.device.type, enabled=False):
            head = self.adapter.adapt(
                reduce_stride(features, self.factor),
                content,
                seed=_seed_of(name),
            )
            adapted = self._now()
            prediction = self._map(self.inference, head, [v.features for v in views], size)
            mapped = self._now()
            before = self._map(Inference(), self.base_model.adapt(features), [features], size)
        counts = QueryCounts(
            name=name,
            adapted=self._count(prediction, mask),
            base_model=self._count(before, mask),
            seconds=sum(view.seconds for view in views) + mapped - began,
            diverged=head.diverged,
            adaptation_seconds=adapted - began,
        )
        self._add(counts)
        self.store.save(counts)
        self._log_running()
        kept: dict[str, Any] = {
            key: batch[key] for key in ("name", "mask", "image") if key in batch
        }
        return {**kept, "prediction": prediction.unsqueeze(0).long()}

    def on_test_epoch_end(self) -> None:
        """Scores over all queries of all processes."""
        adapted, base_model = self._sum(self._counts).cpu()
        scores = gfss_scores(adapted, self.taxonomy, **self.weights)
        base = gfss_scores(base_model, self.taxonomy, **self.weights)
        queries, seconds, diverged, adapting = self._sum(self._totals).tolist()
        each = 1 / max(1, queries)
        self._result = AdaptationResult(
            adapted, scores, base, int(queries), seconds * each, int(diverged), adapting * each
        )
        metrics = scores.as_metrics("test", self.taxonomy)
        metrics["test/seconds_per_query"] = self._result.seconds_per_query
        for key, value in metrics.items():
            self.log(key, value)

    @property
    def _data(self) -> FewShotDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, FewShotDataModule)
        return data

    def _fit(self, support: SupportPixels, *methods: Adapter) -> None:
        head = self.segmenter.head
        assert head.bias is not None
        snapshot = LinearHead(head.weight[:, :, 0, 0], head.bias)
        for method in methods:
            method.fit_support(snapshot, support, seed=self.seed, base_counts=self._base_counts)

    def _learn_jointly(self, joint: JointSelfTraining) -> None:
        """Let the method learn from all queries, those of an interrupted evaluation too."""

        def queries() -> Iterator[tuple[Tensor, Tensor]]:
            for batch in self._data.all_queries():
                view = self._query_views(batch)[0]
                features = reduce_stride(view.features, self.factor)
                size = (features.shape[1], features.shape[2])
                yield features, labels_to_size(view.content, size)

        def adapt(features: Tensor, valid: Tensor) -> AdaptedHead:
            return self.adapter.adapt(features, valid, seed=self.seed)

        def refit(features: list[Tensor], labels: list[Tensor]) -> None:
            self._fit(self._tiles.pixels(features, labels), self.adapter)

        joint.run(queries, adapt, refit)

    def _support_features(self, index: int) -> Tensor:
        """Features [C, h, w] of a support tile, kept or extracted now."""
        support, cache = self._data.support, self._data.feature_cache
        path = support.tiles[index].image
        found = cache.load(path) if cache is not None else None
        if found is None:
            found = self._extract(support[index]["image"].unsqueeze(0), path)
        return self._here(found).features

    def _query_views(self, batch: dict[str, Any]) -> list[TileFeatures]:
        """Features of the views of a query tile, from the batch or from the network."""
        if "features" in batch:
            each = batch["feature_seconds"] / len(batch["features"])
            return [
                self._here(TileFeatures(features, batch["content"], each))
                for features in batch["features"]
            ]
        path = Path(batch["path"][0])
        return [self._extract(batch["image"], path, view) for view in self.inference.views()]

    @torch.no_grad()
    def _extract(self, image: Tensor, path: Path, view: View = ()) -> TileFeatures:
        """Features of a view of one image [1, 3, H, W], float32; kept for the next job."""
        began = self._now()
        image = flip(image.to(self.device), view)
        with self.trainer.precision_plugin.forward_context():
            features = self.segmenter.features(image)[0].float()  # [C, h, w]
        found = TileFeatures(features, _content(image[0]), self._now() - began)
        cache = self._data.feature_cache
        if cache is not None:
            cache.save(path, found, view)
        return found

    def _now(self) -> float:
        """Seconds; on a GPU, of work that is done and not only asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _here(self, found: TileFeatures) -> TileFeatures:
        """The same on this process's device."""
        return TileFeatures(
            found.features.to(self.device), found.content.to(self.device), found.seconds
        )

    def _map(
        self,
        inference: Inference,
        head: Any,  # noqa: ANN401 - whatever a method makes
        views: list[Tensor],
        size: tuple[int, int],
    ) -> Tensor:
        stride = self.segmenter.stride
        return inference.predict_map(head, views, size, stride, self.align_corners)[0]

    def _count(self, prediction: Tensor, mask: Tensor) -> Tensor:
        single = ConfusionMatrix(self.taxonomy.num_classes, self.taxonomy.ignore_index)
        single = single.to(self.device)
        single.update(prediction, mask)
        return single.confmat.cpu()

    def _add(self, counts: QueryCounts) -> None:
        self._counts += torch.stack([counts.adapted, counts.base_model])
        times = [counts.seconds, float(counts.diverged), counts.adaptation_seconds]
        self._totals += torch.tensor([1.0, *times])

    def _sum(self, values: Tensor) -> Tensor:
        """The sum of ``values`` over all processes."""
        summed = self.trainer.strategy.reduce(values.to(self.device), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    def _log_running(self) -> None:
        """The scores so far, as a curve over the queries of this process."""
        scores = gfss_scores(self._counts[0], self.taxonomy, **self.weights)
        step = int(self._totals[0])
        values = {
            "running/base_miou": scores.base_miou,
            "running/novel_miou": scores.novel_miou,
            "running/weighted_miou": scores.weighted_miou,
        }
        for logger in self.loggers:
            logger.log_metrics(values, step=step)


def _content(image: Tensor) -> Tensor:
    """Which pixels of ``image`` [3, H, W] are no padding, bool [H, W].

    Padding, and the black border of a tile at the edge of a survey, is exactly 0. The label is
    not asked: a tile that is to be mapped has none.
    """
    return (image != 0).any(dim=0)


def _seed_of(name: str) -> int:
    """A number that belongs to the tile, whatever the order or the process it comes in."""
    value = 0
    for byte in name.encode():
        value = (value * 257 + byte) % 1_000_003
    return value
