"""Images for weak-shot classification: noisy novel ones, clean base ones, clean ones to test."""

import numpy as np

from terrashot.papers.simtrans.folders.image_sets import ImageSets
from terrashot.papers.simtrans.folders.images import ImageUnits, Views
from terrashot.papers.simtrans.patches.units import chosen_per_class
from terrashot.papers.simtrans.patches.weighted_loaders import WeightedLoaders


class WeakShotImages(WeightedLoaders):
    """Loaders of images; novel labels of the training set are noisy.

    Args:
        sets: The images of the dataset.
        views: How they are cut.
        with_base: Train and test on base classes too.
        base_images: Most clean training images of a base class.
        batch_sizes: Images a batch and process in each pass of an epoch.
        anchors: Clean base images of each class that weights may be corrected by.
        seed: Of the run.
        num_workers: Worker processes a loader; None chooses.

    Attributes:
        anchor_windows: Clean base images.
        anchors: Numbers of some of them for each base class, by id.
    """

    def __init__(
        self,
        sets: ImageSets,
        views: Views,
        with_base: bool,
        base_images: int,
        batch_sizes: list[int],
        anchors: int = 64,
        seed: int = 0,
        num_workers: int | None = None,
    ) -> None:
        labels = np.array([image.label for image in sets.base_train])
        clean = [sets.base_train[i] for i in chosen_per_class(labels, base_images, seed)]
        train = [*sets.novel_web, *(clean if with_base else [])]
        test = [*sets.novel_test, *(sets.base_test if with_base else [])]
        units = ImageUnits(train, views, augmented=True)
        super().__init__(units, ImageUnits(test, views), batch_sizes, seed, num_workers)
        self.anchor_windows = ImageUnits(clean, views)
        own = self.anchor_windows.labels
        self.anchors = {i: np.flatnonzero(own == i)[:anchors].tolist() for i in sets.base_ids}
