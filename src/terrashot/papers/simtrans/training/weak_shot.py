"""Weak-shot classification: novel windows with noisy labels, weighed and tied by a SimNet."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from terrashot.papers.simtrans.evaluation.weak_shot_scores import weak_shot_scores
from terrashot.papers.simtrans.losses.graph_regularisation import GraphRegularisation
from terrashot.papers.simtrans.losses.weighted_cross_entropy import weighted_cross_entropy
from terrashot.papers.simtrans.network.classifier_file import CLASSIFIER
from terrashot.papers.simtrans.network.sim_net import SimNet
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder
from terrashot.tasks.optimization import OptimizationPlan


class WeakShotClassifier(LightningModule):
    """Trains an encoder and a linear classifier with weighted cross entropy and a graph term.

    Batches hold ``input`` [B, 3, S, S], ``label`` (class ids) and ``index``, the window's number,
    by which its weight is found. Novel windows never choose a checkpoint: the last one counts.
    Logs ``train/loss``, ``train/graph``, and in the test ``test/novel_accuracy`` and the like
    (see ``weak_shot_scores``).

    Source: Chen et al., "Weak-shot Fine-grained Classification via Similarity Transfer", 2021.

    Args:
        encoder: Turns windows into features.
        class_ids: Ids of the classes to tell apart, base ones first.
        novel: Ids of the novel ones among them.
        weights: Of the training windows by their number ``[n]``.
        plan: Optimizer and schedule.
        graph: Graph regularisation; None: none.
        alpha: Its weight.
        sim_net: The frozen SimNet that the graph comes from.
        graph_batches: Batches at the start of an epoch in which the graph term acts: those of the
            first pass of the alternate schedule; None: all.
        names: Of the classes, in the order of ``class_ids``.
    """

    weights: Tensor
    confusion: Tensor
    among_novel: Tensor
    place: Tensor

    def __init__(
        self,
        encoder: WindowEncoder,
        class_ids: Sequence[int],
        novel: Sequence[int],
        weights: Tensor,
        plan: OptimizationPlan,
        graph: GraphRegularisation | None = None,
        alpha: float = 0.0,
        sim_net: SimNet | None = None,
        graph_batches: int | None = None,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.class_ids = list(class_ids)
        self.novel = list(novel)
        self.classifier = nn.Linear(encoder.channels, len(self.class_ids))
        self.plan = plan
        self.graph = graph
        self.alpha = alpha
        self.sim_net = None if sim_net is None else sim_net.eval().requires_grad_(False)
        self.graph_batches = graph_batches
        self.names = list(names)
        self.register_buffer("weights", weights)
        place = torch.full((max(self.class_ids) + 1,), -1, dtype=torch.int64)
        place[self.class_ids] = torch.arange(len(self.class_ids))
        self.register_buffer("place", place, persistent=False)
        size = len(self.class_ids)
        self.register_buffer("confusion", torch.zeros(size, size).long(), persistent=False)
        self.register_buffer("among_novel", torch.zeros(size, size).long(), persistent=False)

    def train(self, mode: bool = True) -> "WeakShotClassifier":
        """Training mode for all but the SimNet, whose batch norm must stay as it was trained."""
        super().train(mode)
        if self.sim_net is not None:
            self.sim_net.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, K]`` and features ``[B, C]``."""
        features = self.encoder(images)
        return self.classifier(features), features

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        """Weighted cross entropy, and the graph term where it acts."""
        logits, features = self(batch["input"])
        weights = self.weights[batch["index"]]
        loss = weighted_cross_entropy(logits, self.place[batch["label"]], weights)
        size = len(weights)
        self.log("train/loss", loss, prog_bar=True, batch_size=size)
        if self.graph is None or self.sim_net is None:
            return loss
        if self.graph_batches is not None and batch_index >= self.graph_batches:
            return loss
        with torch.no_grad():
            units = self.sim_net.embed(batch["input"]).float()
            similarity = self.sim_net.head.similarity(
                units, units, both_orders=self.graph.symmetric
            )
        term = self.graph(features, similarity, batch["label"])
        self.log("train/graph", term, batch_size=size)
        return loss + self.alpha * term

    def on_test_start(self) -> None:
        """Count from 0."""
        self.confusion.zero_()
        self.among_novel.zero_()

    def test_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        """Count predictions over all classes, and over the novel ones alone."""
        logits, _ = self(batch["input"])
        truth = self.place[batch["label"]]
        self._count(self.confusion, truth, logits.argmax(dim=1))
        base = torch.ones(len(self.class_ids), dtype=torch.bool, device=logits.device)
        base[self.place[self.novel]] = False
        restricted = logits.masked_fill(base, float("-inf")).argmax(dim=1)
        novel = ~base[truth]
        self._count(self.among_novel, truth[novel], restricted[novel])

    def on_test_epoch_end(self) -> None:
        """Scores over the windows of all processes."""
        for counts in (self.confusion, self.among_novel):
            summed = self.trainer.strategy.reduce(counts.float(), reduce_op="sum")
            assert isinstance(summed, Tensor)
            counts.copy_(summed.long())
        novel = self.place[self.novel].tolist()
        for name, value in weak_shot_scores(self.confusion, self.among_novel, novel).items():
            self.log(f"test/{name}", value)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer groups and a schedule that steps with every batch."""
        optimizer = self.plan.build_optimizer(self.encoder, [self.classifier])
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = self.plan.build_schedule(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which class each output is."""
        checkpoint[CLASSIFIER.key] = {
            "format": 1,
            "encoder": self.encoder.description,
            "class_ids": self.class_ids,
            "classes": self.names,
        }

    @staticmethod
    def _count(counts: Tensor, truth: Tensor, prediction: Tensor) -> None:
        size = len(counts)
        counts += torch.bincount(truth * size + prediction, minlength=size * size).view(size, size)
