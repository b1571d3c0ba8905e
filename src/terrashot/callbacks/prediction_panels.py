"""Pictures of the same few tiles after each evaluation."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from terrashot.callbacks.media import log_panels
from terrashot.image_spec import ImageSpec
from terrashot.reporting.panels import Panel, panel_picture, save_panel
from terrashot.taxonomy import Taxonomy

_LONGEST = 512


class PredictionPanels(Callback):
    """Save and log ``image | truth | prediction | error`` of some tiles.

    The tiles lie evenly over the evaluation order, which is fixed, so they are the same in every
    epoch. Steps return ``{"name", "image" [B, C, H, W] in 0..1, "mask" [B, H, W], "prediction"
    [B, H, W]}``. With several processes only the first one draws, from its own share of the tiles.

    Args:
        folder: The run folder; pictures go to ``figures/<stage>/<tile>.png`` inside, the newest
            epoch replacing the one before.
        taxonomy: Names and colours.
        count: How many tiles.
        read_image: Reads the image [C, H, W] of a tile by its name, for steps that return none.
        spec: Channels of the images; None: 8-bit RGB.
    """

    def __init__(
        self,
        folder: Path,
        taxonomy: Taxonomy,
        count: int = 6,
        read_image: Callable[[str], Tensor] | None = None,
        spec: ImageSpec | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.taxonomy = taxonomy
        self.count = count
        self.read_image = read_image
        self.spec = spec
        self._wanted: set[int] = set()
        self._seen = 0
        self._panels: list[Panel] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the tiles."""
        self._begin(trainer, trainer.val_dataloaders, trainer.num_val_batches)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the tiles."""
        self._begin(trainer, trainer.test_dataloaders, trainer.num_test_batches)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's interface
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the chosen tiles of the batch."""
        self._collect(outputs, batch)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's interface
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the chosen tiles of the batch."""
        self._collect(outputs, batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, save and log."""
        self._publish(trainer, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, save and log."""
        self._publish(trainer, "test")

    def _begin(self, trainer: Trainer, loaders: Any, batches: Any) -> None:  # noqa: ANN401
        self._seen, self._panels, self._wanted = 0, [], set()
        # Lightning tries a few batches before training; a picture of those would say nothing.
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        loaders = loaders if isinstance(loaders, list) else [loaders]
        batches = batches if isinstance(batches, list) else [batches]
        total = 0
        for loader, count in zip(loaders, batches, strict=True):
            size = getattr(loader, "batch_size", None) or 1
            sampler: Any = getattr(loader, "sampler", None)
            tiles = len(sampler) if hasattr(sampler, "__len__") else int(count) * size
            total += min(tiles, int(count) * size)
        self._wanted = evenly_spaced(total, self.count)

    def _collect(self, outputs: Any, batch: Any) -> None:  # noqa: ANN401
        values = outputs if isinstance(outputs, Mapping) and "prediction" in outputs else None
        names = (values or batch)["name"]
        names = [names] if isinstance(names, str) else list(names)
        first, self._seen = self._seen, self._seen + len(names)
        if values is None:
            return
        for row, name in enumerate(names):
            if first + row in self._wanted:
                if "image" in values or self.read_image is None:
                    image = values["image"][row]
                else:
                    image = self.read_image(name)
                truth, prediction = (values[key][row] for key in ("mask", "prediction"))
                panel = Panel.from_tensors(name, image, truth, prediction, self.spec)
                self._panels.append(panel.shrunk(_LONGEST))

    def _publish(self, trainer: Trainer, stage: str) -> None:
        if not self._panels:
            return
        pictures = [panel_picture(panel, self.taxonomy, _LONGEST) for panel in self._panels]
        for panel, picture in zip(self._panels, pictures, strict=True):
            # A tile's name may hold folders or characters that no file name may have.
            stem = re.sub(r"[^\w.-]+", "_", Path(panel.name).stem)
            save_panel(picture, self.folder / "figures" / stage / f"{stem}.png")
        name = f"{stage}/panels"
        log_panels(
            trainer.loggers, name, self._panels, pictures, self.taxonomy, trainer.global_step
        )
        self._panels = []


def evenly_spaced(total: int, count: int) -> set[int]:
    """At most ``count`` of the numbers 0..total-1, each in the middle of its share."""
    count = min(count, total)
    return {(2 * i + 1) * total // (2 * count) for i in range(count)}
