"""Stage 2: adapt a frozen segmenter's head to novel classes, query by query, and score it."""

from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.inference import Inference, PixelHead
from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.method import Method, Query
from terrashot.adaptation.methods.base_only import frozen_head
from terrashot.adaptation.striding import reduce_stride
from terrashot.adaptation.support.storage import storage_type
from terrashot.adaptation.temperature import Calibration
from terrashot.adaptation.transition.mean_transition import mean_transition
from terrashot.data.datamodule import FewShotDataModule
from terrashot.evaluation.calibration import reliability
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.model.support_fit import SupportFit
from terrashot.model.tile_network import TileFeatures, TileNetwork, stride_factor
from terrashot.networks.segmenter import Segmenter
from terrashot.tasks.query_counts import QueryCounts, QueryStore
from terrashot.tasks.query_maps import QueryMaps
from terrashot.tasks.query_tally import AdaptationResult, QueryTally
from terrashot.taxonomy import IGNORE, Taxonomy


class NovelAdaptation(LightningModule):
    """Evaluates one method: ``Trainer.test`` with a ``FewShotDataModule``.

    The support is turned into features once. Each query (see ``collate_query``) is
    adapted to, mapped and counted. Features come from the data module's
    cache where it has one, with the very same numbers. Counts are kept in ``store``, so that an
    interrupted evaluation goes on with the queries that are left. Logs ``test/base_miou``,
    ``test/novel_miou``, ``test/weighted_miou``, ..., ``test/iou/<class>``, and, query by query,
    ``running/...`` of this process.

    Args:
        segmenter: the stage-1 network; frozen.
        method: the method.
        taxonomy: the classes of the data, novel ones included.
        store: where counts of finished queries are kept.
        feature_stride: the adaptation runs on features of this stride (average pooling); None:
            native. The map is always made at native stride.
        align_corners: of the upsampling of probabilities, True as published; None: as stage 1
            upsampled its logits.
        inference: flips and smoothing of the map; None for neither. The stage-1 head's map beside
            it has neither.
        seed: of everything random in the method.
        base_weight: weight of the base mean in the weighted mIoU.
        novel_weight: weight of the novel mean in it.
        storage: what the support's features are kept in: float32, bfloat16 or float64.
        joint: joint self-training over all queries, which makes one head for all of them, a
            protocol of its own; None: each query is adapted to by itself.
        maps: post-processes the maps and keeps them; None: neither.
        queries_per_pass: so many queries are adapted to in one pass over the support, each by
            itself.
        calibration: of the probabilities, so that confidence before and after is counted.

    Raises:
        ConfigError: ``feature_stride`` is no multiple of the network's stride, or the storage is
            unknown.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        method: Method,
        taxonomy: Taxonomy,
        store: QueryStore,
        feature_stride: int | None = None,
        align_corners: bool | None = None,
        seed: int = 0,
        base_weight: float = 0.4,
        novel_weight: float = 0.6,
        inference: Inference | None = None,
        storage: str = "float32",
        joint: JointSelfTraining | None = None,
        maps: QueryMaps | None = None,
        queries_per_pass: int = 1,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.segmenter = segmenter.eval().requires_grad_(False)
        self.factor = stride_factor(segmenter, feature_stride)
        self.method = method
        self.taxonomy = taxonomy
        self.store = store
        self.align_corners = segmenter.align_corners if align_corners is None else align_corners
        self.inference = inference or Inference()
        self.storage = storage_type(storage)
        self.joint = joint
        self.maps = maps
        self.queries_per_pass = queries_per_pass
        self.calibration = calibration or Calibration()
        self.seed = seed
        rules = maps.num_rules if maps is not None else 0
        self._tally = QueryTally(taxonomy, rules, self._calibrated, base_weight, novel_weight)
        self._result: AdaptationResult | None = None
        self._shared: AdaptedHead | None = None  # the head of joint self-training

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
        if len(finished) == len(queries):
            # Stopped between the last query and the scores: Lightning runs nothing on no tiles.
            finished = finished[:-1]
        data.skip = {counts.name for counts in finished}
        data.feature_views = self.inference.views()
        data.queries_per_batch = self.queries_per_pass
        # Counts are summed over processes at the end, so only one may bring the old ones.
        self._finished = finished if self.trainer.is_global_zero else []

    def on_test_start(self) -> None:
        """Let the method learn; add up what an interrupted evaluation has counted."""
        data = self._data
        precision = self.trainer.precision_plugin.forward_context
        self.network = TileNetwork(self.segmenter, self.device, data.feature_cache, precision)
        self._frozen = frozen_head(self.network.head, self.taxonomy.num_novel)
        self.learn(data)
        for counted in self._finished:
            self._tally.add(counted)

    def learn(self, data: FewShotDataModule) -> None:
        """Let the method take in the support, and where asked all queries together."""
        fit = SupportFit.of_data(
            self.method, self.network, data, self.factor, self.storage, self.seed
        )
        fit.fit()
        if self.joint is not None:
            count = len(data.layout.query)
            self._shared, _ = fit.learn_jointly(self.joint, fit.query_tiles, count)

    def test_step(self, batch: list[dict[str, Any]], batch_index: int) -> dict[str, Any]:
        """Adapt to some queries in one pass over the support, map, count and keep each.

        Returns lists of the predictions and of what belongs to them; the images beside them only
        where all tiles came with theirs.
        """
        views = [self.network.query(query, self.inference.views()) for query in batch]
        queries = [
            Query(
                reduce_stride(found[0].features, self.factor),
                found[0].content,
                _seed_of(query["name"][0]),
            )
            for query, found in zip(batch, views, strict=True)
        ]
        began = self.network.now()
        # Autocast would take the adaptation to half precision, where its small steps are lost.
        with torch.autocast(self.device.type, enabled=False):
            if self._shared is None:
                heads = self.method.adapt_together(queries)
            else:
                heads = [self._shared] * len(queries)
        seconds = (self.network.now() - began) / len(batch)
        maps = [
            self._finish(query, found, head, seconds)
            for query, found, head in zip(batch, views, heads, strict=True)
        ]
        kept: dict[str, Any] = {
            key: [query[key][0] for query in batch]
            for key in ("name", "mask", "image")
            if all(key in query for query in batch)
        }
        return {**kept, "prediction": maps}

    def _finish(
        self, query: dict[str, Any], views: list[TileFeatures], head: AdaptedHead, adapting: float
    ) -> Tensor:
        """Map and count one query, keep its counts; the final map [H, W], int64."""
        mask, name, path = query["mask"][0], query["name"][0], Path(query["path"][0])
        size = (mask.shape[0], mask.shape[1])
        began = self.network.now()
        with torch.autocast(self.device.type, enabled=False):
            prediction, probabilities = self._map(
                self.inference, head, [v.features for v in views], size, True
            )
            assert probabilities is not None
            mapping = self.network.now() - began
            before, _ = self._map(Inference(), self._frozen, [views[0].features], size)
        maps = [prediction]
        if self.maps is not None:
            maps += self.maps.after_rules(name, path, prediction, probabilities)
            self.maps.save(name, path, maps[-1])
        adapted_counts, *rules = [self._count(ids, mask) for ids in maps]
        counts = QueryCounts(
            name=name,
            adapted=adapted_counts,
            base_model=self._count(before, mask),
            seconds=sum(view.seconds for view in views) + adapting + mapping,
            diverged=head.diverged,
            adaptation_seconds=adapting,
            rules=torch.stack(rules) if rules else adapted_counts[:0],
            transition=self._transition(head, views[0].features),
            reliability=self._reliabilities(probabilities, prediction, mask),
        )
        self._tally.add(counts)
        self.store.save_map(name, maps[-1], self.taxonomy)
        self.store.save(counts)
        self._log_running()
        return maps[-1].long()

    def on_test_epoch_end(self) -> None:
        """Scores over all queries of all processes."""
        self._result = self._tally.result(self._sum)
        metrics = self._result.scores.as_metrics("test", self.taxonomy)
        metrics["test/seconds_per_query"] = self._result.seconds_per_query
        for key, value in metrics.items():
            self.log(key, value)

    @property
    def _data(self) -> FewShotDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, FewShotDataModule)
        return data

    def _map(
        self,
        inference: Inference,
        head: PixelHead,
        views: list[Tensor],
        size: tuple[int, int],
        return_probabilities: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        stride = self.segmenter.stride
        return inference.predict_map(
            head, views, size, stride, self.align_corners, return_probabilities
        )

    def _transition(self, head: PixelHead, features: Tensor) -> Tensor | None:
        """What the transition comes to on a query, for the report; None without one."""
        if not isinstance(head, AdaptedHead):
            return None
        return mean_transition(head, reduce_stride(features, self.factor))

    def _count(self, prediction: Tensor, mask: Tensor) -> Tensor:
        single = ConfusionMatrix(self.taxonomy.num_classes).to(self.device)
        single.update(prediction, mask)
        return single.confmat.cpu()

    @property
    def _calibrated(self) -> bool:
        return self.calibration.temperature is not None

    def _reliabilities(self, probabilities: Tensor, prediction: Tensor, mask: Tensor) -> Tensor:
        """Confidence and accuracy of one map ``[1 or 2, bins, 3]``."""
        labelled = (mask != IGNORE).to(probabilities.device)
        correct = (prediction == mask.to(prediction.device))[labelled]
        found = [probabilities]
        if self._calibrated:
            found.append(self.calibration.apply(probabilities))
        return torch.stack([reliability(p.amax(dim=0)[labelled], correct) for p in found])

    def _sum(self, values: Tensor) -> Tensor:
        """The sum of ``values`` over all processes."""
        summed = self.trainer.strategy.reduce(values.to(self.device), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    def _log_running(self) -> None:
        """The scores so far, as a curve over the queries of this process."""
        scores = self._tally.scores()
        values = {
            "running/base_miou": scores.base_miou,
            "running/novel_miou": scores.novel_miou,
            "running/weighted_miou": scores.weighted_miou,
        }
        for logger in self.loggers:
            logger.log_metrics(values, step=self._tally.queries)


def _seed_of(name: str) -> int:
    """A number that belongs to the tile, whatever the order or the process it comes in."""
    value = 0
    for byte in name.encode():
        value = (value * 257 + byte) % 1_000_003
    return value
