"""Images of any size as samples of one size."""

import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from terrashot.errors import DataError
from terrashot.image_spec import as_unit
from terrashot.papers.simtrans.folders.image_sets import LabelledImage
from terrashot.papers.simtrans.patches.dataset import Unit

_THREADS = 16
_SHOWN = 5


@dataclass(frozen=True)
class Views:
    """How an image becomes ``[3, size, size]``.

    In training it is turned, cut to a random share and shape of it, and mirrored; in tests its
    shorter side is brought to ``resize`` and the middle is cut out.

    Source: SimTrans.

    Args:
        size: Side of the result.
        resize: See above.
        rotation: Most degrees either way.
        area: Smallest share of the image in a training crop.
        flip: Probability of the mirror image.
    """

    size: int = 224
    resize: int = 255
    rotation: float = 30.0
    area: float = 0.5
    flip: float = 0.5

    @cached_property
    def training(self) -> v2.Transform:
        """With torch's random numbers."""
        return v2.Compose(
            [
                v2.RandomRotation(self.rotation),
                v2.RandomResizedCrop(self.size, scale=(self.area, 1.0), antialias=True),
                v2.RandomHorizontalFlip(self.flip),
            ]
        )

    @cached_property
    def test(self) -> v2.Transform:
        """Always the same."""
        return v2.Compose([v2.Resize(self.resize, antialias=True), v2.CenterCrop(self.size)])


class ImageUnits(Dataset[Unit]):
    """Images as units, see ``UnitSet``.

    ``dataset[index]`` or ``dataset[index, seed]``; with a seed the training view draws from it
    alone.

    Args:
        images: The files with their class ids.
        views: How they are cut.
        augmented: Whether seeds make training views.

    Attributes:
        labels: Class id of each image as given, int64 ``[n]``.
        groups: Number of the image itself: any two of them make a pair, int64 ``[n]``.
    """

    def __init__(
        self, images: Sequence[LabelledImage], views: Views, augmented: bool = False
    ) -> None:
        self.images = list(images)
        self.views = views
        self.augmented = augmented
        self.labels = np.array([image.label for image in self.images], dtype=np.int64)
        self.groups = np.arange(len(self.images), dtype=np.int64)

    def plain(self) -> "ImageUnits":
        """The same images in their test view."""
        return ImageUnits(self.images, self.views)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, key: int | tuple[int, int]) -> Unit:
        """The sample at ``index`` or ``(index, seed)``.

        Raises:
            DataError: the image cannot be read.
        """
        index, seed = key if isinstance(key, tuple) else (key, None)
        chosen = self.images[index]
        image = read_image(chosen.path)
        if self.augmented and seed is not None:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                image = self.views.training(image)
        else:
            image = self.views.test(image)
        return {"input": _as_tensor(image), "label": chosen.label, "index": index}


def read_image(path: Path) -> Image.Image:
    """An image file as 8-bit RGB: grey is repeated, transparency left out.

    Raises:
        DataError: it is missing, damaged, or cut off.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata and of palettes
            with Image.open(path) as image:
                return image.convert("RGB")
    except Exception as error:  # what decoders raise has no common ground
        raise DataError(_unreadable([path], 1, error)) from error


def check_readable(images: Iterable[LabelledImage]) -> None:
    """Look at the header of every image file.

    Raises:
        DataError: some are no images.
    """
    paths = list(dict.fromkeys(image.path for image in images))
    with ThreadPoolExecutor(_THREADS) as pool:
        errors = list(pool.map(_header_error, paths))
    bad = [(path, error) for path, error in zip(paths, errors, strict=True) if error is not None]
    if bad:
        raise DataError(_unreadable([path for path, _ in bad], len(paths), bad[0][1]))


def _header_error(path: Path) -> Exception | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path):
                return None
    except Exception as error:
        return error


def _unreadable(paths: Sequence[Path], total: int, error: BaseException) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return (
        f"{len(paths)} of {total} image(s) cannot be read: "
        f"{', '.join(map(str, paths[:_SHOWN]))}{more} ({type(error).__name__}: {error}). A whole "
        "JPEG, PNG or other common image was expected; download it again, or delete it (and its "
        "line on a list of the dataset)."
    )


def _as_tensor(image: Image.Image) -> Tensor:
    return as_unit(v2.functional.pil_to_tensor(image))
