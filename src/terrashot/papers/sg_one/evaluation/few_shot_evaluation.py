"""SG-One on novel classes: few-shot episodes, and the merge into a map of all classes."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.data.feature_cache import FeatureCache
from terrashot.errors import ConfigError
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import GfssScores, gfss_scores
from terrashot.model.tile_network import TileNetwork
from terrashot.networks.segmenter import Segmenter
from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
from terrashot.papers.sg_one.episodes.evaluation import evaluation_episodes
from terrashot.papers.sg_one.evaluation.episode_scores import (
    EpisodeScores,
    binary_counts,
    episode_scores,
)
from terrashot.papers.sg_one.evaluation.gfss_merge import merge_novel
from terrashot.papers.sg_one.evaluation.novel_shots import NovelShots
from terrashot.papers.sg_one.evaluation.reference_maps import ReferenceMaps
from terrashot.papers.sg_one.guidance.guided_prediction import EncodedQuery, NovelScores
from terrashot.papers.sg_one.guidance.shot_fusion import checked_fusion
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.taxonomy import IGNORE, Taxonomy

ONE, ALL, ONE_IMPRINTED, ALL_IMPRINTED = range(4)
MERGED, BASE, IMPRINTED = range(3)


@dataclass(frozen=True)
class EvaluationRules:
    """How novel classes are evaluated.

    Args:
        count: Episodes, drawn once from ``seed``.
        seed: Of the list of episodes.
        min_pixels: A query tile shows a class with at least so many pixels.
        shot_fusion: See ``shot_maps``.
        tau: Score above which a novel class takes a pixel from the base map.
        feature_stride: Of the features that imprinting takes its prototypes from; None: native.
        base_weight: Weight of the base mean in the weighted mIoU.
        novel_weight: Weight of the novel mean in it.
    """

    count: int
    seed: int
    min_pixels: int
    shot_fusion: str
    tau: float
    feature_stride: int | None = None
    base_weight: float = 0.4
    novel_weight: float = 0.6


@dataclass(frozen=True)
class FewShotResult:
    """What an evaluation came to.

    Args:
        episodes: By ``ONE``, ``ALL``, ``ONE_IMPRINTED``, ``ALL_IMPRINTED``: SG-One, and imprinting
            on the stage-1 network, on the same episodes with the same shots.
        maps: By ``MERGED``, ``BASE``, ``IMPRINTED``: scores of the maps of all classes.
        confusion: Counts [K, K] of the merged maps, rows = truth.
        queries: Tiles.
        seconds_per_query: Of SG-One alone, all novel classes.
    """

    episodes: list[EpisodeScores]
    maps: list[GfssScores]
    confusion: Tensor
    queries: int
    seconds_per_query: float


class FewShotEvaluation(LightningModule):
    """Evaluates SG-One on the query tiles: ``Trainer.test`` with an ``EpisodeDataModule``.

    Episodes ask for one class at a time, on query tiles that show it, with one support tile and
    with all of them. The map of all classes merges the answers with all support tiles into the
    map of the stage-1 network, on every query tile.

    Args:
        network: The trained network.
        segmenter: The stage-1 network.
        taxonomy: The classes of the data, novel ones included.
        rules: What is evaluated.
        cache: Features of support tiles by the stage-1 network; None: none kept.

    Raises:
        ConfigError: an unknown fusion, or a feature stride that the network's does not divide.
    """

    def __init__(
        self,
        network: SGOneNetwork,
        segmenter: Segmenter,
        taxonomy: Taxonomy,
        rules: EvaluationRules,
        cache: FeatureCache | None = None,
    ) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.segmenter = segmenter.eval().requires_grad_(False)
        self.taxonomy = taxonomy
        self.rules = rules
        self.cache = cache
        stride = rules.feature_stride
        if stride is not None and stride % segmenter.stride:
            raise ConfigError(
                f"adaptation.feature_stride is {stride}, but the network's features have stride "
                f"{segmenter.stride}; it must be a multiple of that, or null."
            )
        self.fusion = checked_fusion(rules.shot_fusion)
        self._result: FewShotResult | None = None

    @property
    def result(self) -> FewShotResult:
        """What the last whole evaluation came to."""
        if self._result is None:
            raise RuntimeError("the result is there once Trainer.test has ended")
        return self._result

    @torch.no_grad()
    def on_test_start(self) -> None:
        """Draw the list of episodes, pool the shots, imprint the baseline."""
        data, size = self._data, self.taxonomy.num_classes
        self._episodes = evaluation_episodes(
            data.query_pixels(),
            {i: len(tiles) for i, tiles in data.layout.support.items()},
            self.taxonomy,
            self.rules.count,
            self.rules.seed,
            self.rules.min_pixels,
        )
        self._shots = NovelShots(self.network, data.support, self.device)
        self._stage1 = TileNetwork(
            self.segmenter, self.device, self.cache, self.trainer.precision_plugin.forward_context
        )
        stride = self.rules.feature_stride or self.segmenter.stride
        self._references = ReferenceMaps(
            self._stage1, data.support, data.eval_transform, stride // self.segmenter.stride
        )
        self._binary = torch.zeros(4, self.taxonomy.num_novel, 2, 2, dtype=torch.int64)
        self._maps = torch.zeros(3, size, size, dtype=torch.int64)
        self._totals = torch.zeros(2)  # queries, seconds

    @torch.no_grad()
    def test_step(self, batch: list[dict[str, Any]], batch_index: int) -> dict[str, Any]:
        """Map one query tile, and answer its episodes."""
        (tile,) = batch
        began = time.perf_counter()
        query = EncodedQuery(self.network, tile["image"])
        answers = {
            i: query.scores(self._shots.all(i), self.fusion) for i in self.taxonomy.novel_ids
        }
        seconds = time.perf_counter() - began
        features = self._stage1.extract(tile["image"]).features
        mask, name = tile["mask"][0], tile["name"][0]
        merged = self._count_maps(answers, features, mask)
        episodes = self._episodes.get(name, Counter())
        for class_id in {episode.class_id for episode in episodes}:
            shots = {e.shot: times for e, times in episodes.items() if e.class_id == class_id}
            self._count_class(class_id, shots, query, answers, features, mask)
        self._totals += torch.tensor([1.0, seconds])
        kept = {key: tile[key] for key in ("name", "image", "mask")}
        return {**kept, "prediction": merged.unsqueeze(0), **self._episode(tile, answers)}

    def on_test_epoch_end(self) -> None:
        """Scores over all queries of all processes."""
        novel, weights = self.taxonomy.novel, self._weights
        binary, maps = self._sum(self._binary).cpu(), self._sum(self._maps).cpu()
        queries, seconds = self._sum(self._totals).tolist()
        few = [episode_scores(counts, novel) for counts in binary]
        scores = [gfss_scores(counts, self.taxonomy, **weights) for counts in maps]
        self._result = FewShotResult(
            few, scores, maps[MERGED], int(queries), seconds / max(1, queries)
        )
        metrics = scores[MERGED].as_metrics("test", self.taxonomy)
        metrics |= few[ONE].as_metrics("test/one_shot") | few[ALL].as_metrics("test/all_shots")
        for key, value in metrics.items():
            self.log(key, value)

    @property
    def _data(self) -> EpisodeDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, EpisodeDataModule)
        return data

    @property
    def _weights(self) -> dict[str, float]:
        return {"base_weight": self.rules.base_weight, "novel_weight": self.rules.novel_weight}

    def _count_maps(
        self, answers: dict[int, NovelScores], features: Tensor, mask: Tensor
    ) -> Tensor:
        """Count the merged map, which is returned, and the two it is compared with."""
        size = (mask.shape[0], mask.shape[1])
        base = self._references.base_map(features, size)
        scores = torch.stack([answer.foreground for answer in answers.values()])
        merged = merge_novel(base, scores, self.taxonomy.num_base, self.rules.tau)
        found = {MERGED: merged, BASE: base}
        if self._references.all_shots is not None:
            found[IMPRINTED] = self._references.imprinted_map(
                self._references.all_shots, features, size
            )
        for kind, prediction in found.items():
            single = ConfusionMatrix(self.taxonomy.num_classes).to(self.device)
            single.update(prediction, mask)
            self._maps[kind] += single.confmat.cpu()
        return merged

    def _count_class(
        self,
        class_id: int,
        shots: Mapping[int, int],
        query: EncodedQuery,
        answers: dict[int, NovelScores],
        features: Tensor,
        mask: Tensor,
    ) -> None:
        """Count the episodes of one class on a query tile: shots and how often each was drawn."""
        target, references = self._target(mask, class_id), self._references
        size = (mask.shape[0], mask.shape[1])

        def count(kind: int, foreground: Tensor, times: int) -> None:
            counts = binary_counts(foreground, target)
            self._binary[kind, class_id - self.taxonomy.num_base] += times * counts.cpu()

        def imprinted(kind: int, head: AdaptedHead | None, times: int) -> None:
            if head is not None:
                found = references.imprinted_map(head, features, size, only=class_id)
                count(kind, found == class_id, times)

        drawn = sum(shots.values())
        count(ALL, answers[class_id].foreground > 0.5, drawn)
        imprinted(ALL_IMPRINTED, references.all_shots, drawn)
        for shot, times in shots.items():
            vectors = self._shots.one(class_id, shot)
            if vectors is not None:
                count(ONE, query.scores(vectors, self.fusion).foreground > 0.5, times)
            imprinted(ONE_IMPRINTED, references.one_shot(shot), times)

    def _target(self, mask: Tensor, class_id: int) -> Tensor:
        """In a query tile every class is labelled, so all but the class is background."""
        ignored = mask == IGNORE
        return torch.where(ignored, mask, (mask == class_id).to(mask))

    def _episode(self, batch: dict[str, Any], answers: dict[int, NovelScores]) -> dict[str, Any]:
        """The tile's first episode, as a picture shows it; nothing where it has none."""
        episodes = self._episodes.get(batch["name"][0])
        if not episodes:
            return {}
        class_id, _ = min(episodes)
        support = self._data.support
        sample = support[support.class_ids.index(class_id)]
        return {
            "episode": {
                "name": f"{self.taxonomy.names[class_id]}: {sample['name']}, {batch['name'][0]}",
                "support_image": sample["image"],
                "support_mask": self._target(sample["mask"], class_id),
                "query_image": batch["image"][0],
                "query_mask": self._target(batch["mask"][0], class_id),
                "prediction": answers[class_id].foreground > 0.5,
                "similarity": answers[class_id].similarity,
            }
        }

    def _sum(self, values: Tensor) -> Tensor:
        """The sum of ``values`` over all processes."""
        summed = self.trainer.strategy.reduce(values.to(self.device), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed
