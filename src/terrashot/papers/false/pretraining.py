"""Stage 0: train an encoder on tiles without labels, by telling windows apart."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from terrashot.networks.encoder_file import KEY, encoder_header
from terrashot.papers.false.evaluation.contrastive_probe import ProbeScores, score_probe
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
from terrashot.papers.false.losses.gathering import gather_rows
from terrashot.papers.false.network.embedder import Embedder
from terrashot.papers.false.windows.probe_windows import NO_CLASS
from terrashot.tasks.optimization import OptimizationPlan

_START = "terrashot_probe_before"


class ContrastivePretraining(LightningModule):
    """Trains encoder and projection head; a probe says what the encoder has learned.

    Training batches hold ``views`` [2N, 3, H, W] in 0..1, first views before second views.
    Validation batches hold those and ``image``, ``label``, ``tile``, ``round``, ``index``; labels
    are only ever looked at there. Logs ``train/loss``, ``train/positive_cosine``,
    ``train/accepted`` (share of views with a false negative), ``train/false_negative_cosine``,
    ``train/alpha_star`` and ``val/<name>`` for the names of ``PROBE_METRICS``.

    Args:
        network: encoder and head.
        loss: the contrastive loss; it gathers the views of all processes itself.
        plan: optimizer and schedule.
        neighbours: of the kNN probe.
        about: plain values for the header of the encoder file.
    """

    def __init__(
        self,
        network: Embedder,
        loss: CalibratedContrastive,
        plan: OptimizationPlan,
        neighbours: int = 20,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        # Convolutions run up to 1.5 times faster with the channels last; values do not change.
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self.plan = plan
        self.neighbours = neighbours
        self.about = dict(about or {})
        self.before: dict[str, float] = {}
        self.scores: ProbeScores | None = None
        self._kept: dict[str, list[Tensor]] = {}

    def forward(self, image: Tensor) -> Tensor:
        """Embeddings [B, D], not normalised."""
        return self.network(image.contiguous(memory_format=torch.channels_last))

    def on_train_epoch_start(self) -> None:
        """Tell the loss which epoch begins."""
        self.loss.set_epoch(self.current_epoch)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """The loss of one batch of views."""
        outcome = self.loss(self(batch["views"]))
        count = len(batch["views"])
        self.log("train/loss", outcome.loss, prog_bar=True, batch_size=count)
        for name, value in outcome.statistics().items():
            self.log(f"train/{name}", value, batch_size=count)
        loss: Tensor = outcome.loss
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin to collect."""
        self.loss.set_epoch(self.current_epoch)
        self._kept = {}

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Embed the whole windows and their views."""
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        first, second = self(batch["views"]).float().chunk(2)
        found = {"features": self.network.features(image).float(), "first": first, "second": second}
        found |= {key: batch[key] for key in ("label", "tile", "round", "index")}
        for key, value in found.items():
            self._kept.setdefault(key, []).append(value)

    def on_validation_epoch_end(self) -> None:
        """Score the probe of all processes, the same on each of them."""
        kept = {key: torch.cat(values) for key, values in self._kept.items()}
        if self.trainer.world_size > 1:
            kept = {key: gather_rows(value).rows for key, value in kept.items()}
        kept = {key: value[kept["label"] != NO_CLASS] for key, value in kept.items()}
        # In the order of one process, so that sums are the same.
        order = kept["index"].argsort()
        kept = {key: value[order] for key, value in kept.items()}
        self.scores = score_probe(kept, self.loss, self.neighbours)
        if self.global_step == 0:
            self.before = self.scores.values
        for name, value in self.scores.values.items():
            self.log(f"val/{name}", value, prog_bar=name == "knn_accuracy")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer groups and a schedule that steps with every batch."""
        optimizer = self.plan.build_optimizer(self.network.encoder, [self.network.head])
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = self.plan.build_schedule(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the encoder is, and the scores before training, which a resumed run needs."""
        checkpoint[KEY] = encoder_header(self.network.description, self.about)
        checkpoint[_START] = self.before

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the scores before training."""
        self.before = checkpoint[_START]
