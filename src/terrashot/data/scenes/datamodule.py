"""Stage 1's loaders over whole scenes."""

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from terrashot.data.loaders import Loaders
from terrashot.data.scenes.plan import ScenePlan
from terrashot.data.scenes.windows import TrainingWindows, ValidationWindows
from terrashot.data.tiles import Sample, Transform
from terrashot.image_spec import ImageSpec


class SceneDataModule(Loaders):
    """Windows of whole scenes for training and validation.

    Args:
        plan: The scenes.
        spec: The channels of the images.
        train_transform: See ``TileDataset``.
        batch_size: windows a step and rank in training.
        eval_batch_size: windows a step and rank in validation.
        num_workers: worker processes a loader; None chooses by cores and ranks.
        pin_memory: None: when there is a CUDA device.
        seed: the run's seed; windows and augmentation follow from it.
    """

    def __init__(
        self,
        plan: ScenePlan,
        spec: ImageSpec,
        train_transform: Transform | None = None,
        batch_size: int = 8,
        eval_batch_size: int = 1,
        num_workers: int | None = None,
        pin_memory: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, num_workers, pin_memory, seed)
        self.plan = plan
        self.taxonomy = plan.taxonomy
        self.spec = spec
        self._train = TrainingWindows(plan, train_transform)
        self._validation_windows = ValidationWindows(plan)

    def train_label_counts(self) -> Tensor:
        """Training pixels of each output of the base head, int64 [num_base]."""
        return torch.from_numpy(self.plan.train_counts)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Windows chosen and augmented by (seed, epoch); ranks get equal counts."""
        return self._training(self._train)

    def val_dataloader(self) -> DataLoader[Sample]:
        """The windows that are held out; each counts once, whatever the number of ranks."""
        return self._validation(self._validation_windows)
