"""Pictures of the same few episodes after each evaluation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from terrashot.callbacks.media import log_pictures
from terrashot.callbacks.prediction_panels import evenly_spaced
from terrashot.image_spec import ImageSpec
from terrashot.papers.sg_one.figures.episode_panel import EpisodePanel, episode_picture
from terrashot.reporting.panels import save_panel

_KEYS = (
    "support_image",
    "support_mask",
    "query_image",
    "query_mask",
    "prediction",
    "similarity",
)


class EpisodePanels(Callback):
    """Save and log ``support | query | truth | prediction | similarity`` of some episodes.

    Validation steps return a batch of ``episodes`` with ``prediction`` [B, H, W] and
    ``similarity`` [B, h, w], of which the first is taken; test steps return one as ``episode``.
    With several processes only the first one draws, from its own share.

    Args:
        folder: The run folder; pictures go to ``figures/<stage>_episodes/<number>.png`` inside.
        count: How many episodes.
        spec: Channels of the images; None: 8-bit RGB.
    """

    def __init__(self, folder: Path, count: int = 8, spec: ImageSpec | None = None) -> None:
        self.folder = Path(folder)
        self.count = count
        self.spec = spec
        self._wanted: set[int] = set()
        self._panels: list[EpisodePanel] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the batches."""
        self._begin(trainer, trainer.num_val_batches)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the batches."""
        self._begin(trainer, trainer.num_test_batches)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's interface
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first episode of a chosen batch."""
        if batch_idx in self._wanted and isinstance(outputs, Mapping):
            episodes = outputs["episodes"]
            self._keep(episodes["name"][0], {key: episodes[key][0] for key in _KEYS})

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's interface
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the episode of a chosen query tile, where it has one."""
        if batch_idx in self._wanted and isinstance(outputs, Mapping) and "episode" in outputs:
            episode = outputs["episode"]
            self._keep(episode["name"], {key: episode[key] for key in _KEYS})

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, save and log."""
        self._publish(trainer, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, save and log."""
        self._publish(trainer, "test")

    def _begin(self, trainer: Trainer, batches: Any) -> None:  # noqa: ANN401
        self._panels, self._wanted = [], set()
        if trainer.is_global_zero and not trainer.sanity_checking:
            batches = batches if isinstance(batches, list) else [batches]
            self._wanted = evenly_spaced(int(sum(batches)), self.count)

    def _keep(self, name: str, tensors: dict[str, Tensor]) -> None:
        self._panels.append(EpisodePanel.from_tensors(name, tensors, self.spec))

    def _publish(self, trainer: Trainer, stage: str) -> None:
        pictures = [episode_picture(panel) for panel in self._panels]
        for number, picture in enumerate(pictures):
            save_panel(picture, self.folder / "figures" / f"{stage}_episodes" / f"{number}.png")
        names = [panel.name for panel in self._panels]
        log_pictures(trainer.loggers, f"{stage}/episodes", pictures, names, trainer.global_step)
        self._panels = []
