"""SG-One on the test episodes of a fold, with one shot and with several."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from terrashot.papers.sg_one.evaluation.episode_scores import (
    EpisodeScores,
    binary_counts,
    episode_scores,
)
from terrashot.papers.sg_one.guidance.guided_prediction import EncodedQuery, pool_support
from terrashot.papers.sg_one.guidance.shot_fusion import checked_fusion
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.papers.sg_one.pascal.datamodule import FoldDataModule
from terrashot.papers.sg_one.pascal.episodes import FoldQuery
from terrashot.taxonomy import IGNORE, Taxonomy


class FoldEvaluation(LightningModule):
    """Answers the episodes of a ``FoldDataModule`` with ``Trainer.test``.

    Everything but the class is background; void pixels do not count. Logs
    ``test/<k>_shot_miou``, ``test/<k>_shot_fb_iou`` and ``test/<k>_shot_iou/<class>``.

    Args:
        network: The trained network.
        taxonomy: The classes of the fold.
        shots: Numbers of support images; an episode is answered once with each.
        fusion: See ``shot_maps``.
    """

    def __init__(
        self, network: SGOneNetwork, taxonomy: Taxonomy, shots: Sequence[int], fusion: str
    ) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.taxonomy = taxonomy
        self.shots = list(shots)
        self.fusion = checked_fusion(fusion)
        self.scores: dict[int, EpisodeScores] = {}

    def on_test_start(self) -> None:
        """Begin to count; each support image is encoded once a class."""
        self._counts = torch.zeros(
            len(self.shots), self.taxonomy.num_novel, 2, 2, dtype=torch.int64
        )
        self._vectors: dict[tuple[int, int], Tensor | None] = {}

    @torch.no_grad()
    def test_step(self, batch: FoldQuery, batch_index: int) -> dict[str, Any]:
        """Answer one episode."""
        episode = batch["episode"]
        own = episode.class_id
        found = [self._vector(image, own) for image in episode.supports]
        query = EncodedQuery(self.network, batch["image"].unsqueeze(0))
        target = _binary(batch["mask"], own)
        answers = {}
        for row, shots in enumerate(self.shots):
            vectors = [vector for vector in found[:shots] if vector is not None]
            if not vectors:  # nothing of the class is left at data.eval_size
                continue
            answer = query.scores(torch.stack(vectors), self.fusion)
            counts = binary_counts(answer.foreground > 0.5, target)
            self._counts[row, own - self.taxonomy.num_base] += counts.cpu()
            answers[shots] = answer
        if not answers:
            return {}
        shown, support = answers[min(answers)], self._data.images[episode.supports[0]]
        return {
            "episode": {
                "name": f"{self.taxonomy.names[own]}: {support['name']}, {batch['name']}",
                "support_image": support["image"],
                "support_mask": _binary(support["mask"], own),
                "query_image": batch["image"],
                "query_mask": target,
                "prediction": shown.foreground > 0.5,
                "similarity": shown.similarity,
            }
        }

    def on_test_epoch_end(self) -> None:
        """Scores over all episodes of all processes."""
        summed = self.trainer.strategy.reduce(self._counts.to(self.device), reduce_op="sum")
        assert isinstance(summed, Tensor)
        for shots, counts in zip(self.shots, summed, strict=True):
            self.scores[shots] = episode_scores(counts, self.taxonomy.novel)
            for name, value in self.scores[shots].as_metrics(f"test/{shots}_shot").items():
                self.log(name, value)

    @property
    def _data(self) -> FoldDataModule:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, FoldDataModule)
        return data

    def _vector(self, image: int, class_id: int) -> Tensor | None:
        """The guidance vector ``[C]`` of a support image; None where its mask is empty."""
        key = (image, class_id)
        if key not in self._vectors:
            sample = self._data.images[image]
            guidance = self.network.guidance(
                self.network.maps(sample["image"].unsqueeze(0).to(self.device))
            )
            mask = _binary(sample["mask"], class_id).unsqueeze(0).to(self.device)
            pooled = pool_support(self.network, guidance, mask)
            self._vectors[key] = pooled.vectors[0].float() if bool(pooled.valid[0]) else None
        return self._vectors[key]


def _binary(mask: Tensor, class_id: int) -> Tensor:
    """1 the class, 0 everything else, ``IGNORE`` where nobody knows."""
    return torch.where(mask == IGNORE, mask, (mask == class_id).to(mask))
