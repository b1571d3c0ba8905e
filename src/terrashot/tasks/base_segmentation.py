"""Stage 1: train a segmenter on the base classes."""

import math
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from terrashot.adaptation.temperature import Calibration, TemperatureFit, allowed_classes
from terrashot.callbacks.averaged_weights import AveragedWeights
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import gfss_scores
from terrashot.losses.ldam import LDAM
from terrashot.model.stage1_file import KEY, describe
from terrashot.networks.segmenter import Segmenter
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.taxonomy import IGNORE, Taxonomy

_PIXELS = 2048
"""Of each validation tile, for the temperature: the tiles are many."""


class BaseSegmentation(LightningModule):
    """Trains encoder, decoder and head; validates with mIoU over the base classes.

    Batches hold ``image`` [B, 3, H, W] in 0..1 and ``mask`` [B, H, W] with ids below ``num_base``
    or ``IGNORE``. Logs ``train/loss``, ``val/loss``, ``val/base_miou``,
    ``val/pixel_accuracy`` and ``val/iou/<class>``. Each validation fits the temperature that a
    checkpoint's maps are calibrated with.

    Args:
        segmenter: The network.
        loss: Of logits and masks.
        plan: Optimizer and schedule.
        taxonomy: Its base classes are learned.
        calibrates: Whether validation tiles tell how sure the network may be: not where they are
            trained on.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        loss: nn.Module,
        plan: OptimizationPlan,
        taxonomy: Taxonomy,
        calibrates: bool = True,
    ) -> None:
        super().__init__()
        # Convolutions run up to 1.5 times faster with the channels last; values do not change.
        self.segmenter = segmenter.to(memory_format=torch.channels_last)
        self.loss = loss
        self.plan = plan
        self.taxonomy = taxonomy.base_only()
        self.confusion = ConfusionMatrix(self.taxonomy.num_classes)
        self.calibrates = calibrates
        self._temperatures = TemperatureFit()
        self._calibration = Calibration(None, "it was kept before its first validation")
        self._last_confusion = torch.zeros(self.taxonomy.num_classes, self.taxonomy.num_classes)

    @property
    def last_confusion(self) -> Tensor:
        """Counts [truth, prediction] of the last whole validation."""
        return self._last_confusion

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, num_base, H, W]."""
        return self.segmenter(image.contiguous(memory_format=torch.channels_last))

    def on_train_epoch_start(self) -> None:
        """Tell a loss that changes with the epochs which one begins."""
        if isinstance(self.loss, LDAM):
            self.loss.set_epoch(self.current_epoch)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """The loss of one batch of crops."""
        loss = self.loss(self(batch["image"]).float(), batch["mask"])
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["image"]))
        return loss

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> dict[str, Any]:
        """Count one batch of whole tiles; the prediction goes to the pictures."""
        logits = self(batch["image"]).float()
        prediction = logits.argmax(1)
        for tile, mask in zip(logits, batch["mask"], strict=True):
            known = allowed_classes(mask.flatten(), len(tile))
            self._temperatures.add(tile.softmax(dim=0).flatten(1), known, _PIXELS)
        self.confusion.update(prediction, batch["mask"])
        # Weighted by labelled pixels: tiles differ in size, and a filler tile, which evens out
        # the steps of several processes, has none.
        labelled = int((batch["mask"] != IGNORE).sum())
        self.log("val/loss", self.loss(logits, batch["mask"]), batch_size=labelled, sync_dist=True)
        return {**batch, "prediction": prediction}

    def on_validation_epoch_end(self) -> None:
        """Scores of the whole validation set, the same on every process."""
        self._last_confusion = self.confusion.compute()
        self.confusion.reset()
        self._calibrate()
        metrics = gfss_scores(self._last_confusion, self.taxonomy).as_metrics("val", self.taxonomy)
        for name, value in metrics.items():
            if not math.isnan(value):  # an absent class has no IoU
                self.log(name, value, prog_bar=name == "val/base_miou")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer groups and a schedule that steps with every batch."""
        rest: list[nn.Module] = [self.segmenter.decoder, self.segmenter.head]
        optimizer = self.plan.build_optimizer(self.segmenter.encoder, rest)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = self.plan.build_schedule(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what stage 2 needs to rebuild the network, and the averaged weights if any."""
        checkpoint[KEY] = describe(self.segmenter, self.taxonomy, self._calibration)
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined] # Trainer has them
            if isinstance(callback, AveragedWeights):
                callback.complete(checkpoint)

    def _calibrate(self) -> None:
        """The temperature of the whole validation set, the same on every process."""
        sums = self.trainer.strategy.reduce(
            self._temperatures.sums.float().to(self.device), reduce_op="sum"
        )
        assert isinstance(sums, Tensor)
        self._temperatures.sums = sums.double().cpu()
        found, self._temperatures = self._temperatures.temperature, TemperatureFit()
        if not self.calibrates:
            self._calibration = Calibration(None, "its validation tiles were trained on")
        elif found is None:
            self._calibration = Calibration(None, "its validation tiles have no labelled pixel")
        else:
            self._calibration = Calibration(found, "the validation tiles of stage 1")
