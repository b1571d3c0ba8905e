"""SG-One: episodic training of one-shot segmentation on base classes."""

import math
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from terrashot.papers.sg_one.evaluation.episode_scores import binary_counts, episode_scores
from terrashot.papers.sg_one.guidance.guided_prediction import EpisodePrediction, predict_episodes
from terrashot.papers.sg_one.network.checkpoint import SG_ONE
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.papers.sg_one.training.optimizer import FaithfulPlan
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.taxonomy import IGNORE, Taxonomy


class SGOneSegmentation(LightningModule):
    """Trains on episodes of base classes; validates on a fixed list of such episodes.

    Batches are those of ``collate_episodes``. The loss is the two-class loss of the gated logits
    at the query's size; there is none on the similarity map. Logs ``train/loss``, ``val/loss``,
    ``val/episode_miou``, ``val/episode_fb_iou`` and ``val/episode_iou/<class>``.

    Args:
        network: The network.
        loss: Takes logits ``[B, 2, H, W]`` and targets ``[B, H, W]`` of 0, 1 and ``IGNORE``.
        plan: Optimizer and schedule.
        taxonomy: The classes.
    """

    def __init__(
        self,
        network: SGOneNetwork,
        loss: nn.Module,
        plan: OptimizationPlan | FaithfulPlan,
        taxonomy: Taxonomy,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self.plan = plan
        self.taxonomy = taxonomy
        self._counts = torch.zeros(len(taxonomy.base), 2, 2, dtype=torch.int64)

    def forward(self, batch: dict[str, Any]) -> EpisodePrediction:
        """Predict the queries of a batch of episodes."""
        support, query = (
            batch[key].contiguous(memory_format=torch.channels_last)
            for key in ("support_image", "query_image")
        )
        return predict_episodes(self.network, support, batch["support_mask"], query)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """The loss of one batch of episodes."""
        loss, _ = self._step(batch)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["name"]))
        return loss

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> dict[str, Any]:
        """Count one batch of episodes; maps go to the pictures."""
        loss, predicted = self._step(batch)
        masks = self._foreground(predicted)
        for row, class_id in enumerate(batch["class_id"].tolist()):
            counts = binary_counts(masks[row], batch["query_mask"][row])
            self._counts[class_id - 1] += counts.cpu()
        labelled = int((batch["query_mask"] != IGNORE).sum())  # 0 in a filler
        self.log("val/loss", loss, batch_size=labelled, sync_dist=True)
        return {
            "episodes": {**batch, "prediction": masks, "similarity": predicted.similarity[:, 0]}
        }

    def on_validation_epoch_end(self) -> None:
        """Scores of the whole list, the same on every process."""
        counts = self.trainer.strategy.reduce(self._counts.to(self.device), reduce_op="sum")
        assert isinstance(counts, Tensor)
        scores = episode_scores(counts, self.taxonomy.base)
        self._counts.zero_()  # after the scores: one process has the very same tensor
        for name, value in scores.as_metrics("val/episode").items():
            if not math.isnan(value):  # a class without an episode
                self.log(name, value, prog_bar=name == "val/episode_miou")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer groups, and a schedule that steps with every batch."""
        if isinstance(self.plan, FaithfulPlan):
            return self.plan.build_optimizer(self.network)
        trunk, own = self.network.trunk, [self.network.guidance_head, self.network.gate]
        optimizer = self.plan.build_optimizer(trunk.encoder, [*trunk.own_parts, *own])
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = self.plan.build_schedule(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what an evaluation needs to rebuild the network."""
        about = {"sg_one": self.network.description, "taxonomy": self.taxonomy.to_dict()}
        checkpoint[SG_ONE.key] = SG_ONE.header(about)

    def _step(self, batch: dict[str, Any]) -> tuple[Tensor, EpisodePrediction]:
        predicted = self(batch)
        # A support without a pixel of the class asks nothing, so its query can't be answered.
        ignored = torch.full_like(batch["query_mask"], IGNORE)
        target = torch.where(predicted.valid[:, None, None], batch["query_mask"], ignored)
        return self.loss(predicted.logits.float(), target), predicted

    @staticmethod
    def _foreground(predicted: EpisodePrediction) -> Tensor:
        return predicted.logits.argmax(dim=1) == 1
