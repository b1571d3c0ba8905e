"""Support tiles that are arrays in memory: what the Python interface takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from terrashot.data.support import SupportSample
from terrashot.errors import DataError
from terrashot.image_spec import EIGHT_BIT, ImageSpec, as_unit

IGNORE = 255
Tile = tuple[np.ndarray, np.ndarray]


class SupportArrays:
    """Support tiles in the order of their classes, with the labels of a support tile on disk.

    A mask says where its class is; everything else in the tile is label 0, which means anything
    but this class, base classes included (see ``SupportPixels``).

    Args:
        tiles: For each novel class, in the order of their ids, pairs of an image [H, W, C] (see
            ``check_image``) and a mask [H, W]: bool, or uint8 with 0, any one other value for the
            class and 255 for pixels that do not count. Tiles may be of any size. Pixels that are
            no finite numbers do not count.
        num_base: Base classes, background included: the id of the first novel class.
        spec: The channels of the images; None: 8-bit RGB.

    Raises:
        DataError: no class, no tile, an array of another type or shape, or an empty mask.
    """

    def __init__(
        self, tiles: Mapping[str, Sequence[Tile]], num_base: int, spec: ImageSpec | None = None
    ) -> None:
        if not tiles:
            raise DataError(
                "support: there is no novel class. Give at least one with its tiles, for example "
                "{'water': [(image, mask)]}."
            )
        own = spec or ImageSpec()
        self.class_ids: list[int] = []
        self._names: list[str] = []
        self._samples: list[tuple[Tensor, Tensor]] = []
        for class_id, (name, pairs) in enumerate(tiles.items(), start=num_base):
            pairs = _checked_pairs(name, pairs)
            for number, (image, mask) in enumerate(pairs):
                what = f"support['{name}'][{number}]"
                array = check_image(f"the image of {what}", image, own)
                labels = _labels(what, array, mask, class_id)
                self._samples.append((channels_first(array, own), labels))
                self._names.append(f"{name}_{number}")
                self.class_ids.append(class_id)

    def __len__(self) -> int:
        """Number of tiles of all classes."""
        return len(self._samples)

    def __getitem__(self, index: int) -> SupportSample:
        """Image float32 [C, H, W] in 0..1, mask int64 [H, W] in {0, own class, ignore}."""
        image, mask = self._samples[index]
        return {
            "image": as_unit(image),
            "mask": mask,
            "name": self._names[index],
            "class_id": self.class_ids[index],
        }

    def mask(self, index: int) -> Tensor:
        """The mask [H, W] of a sample."""
        return self._samples[index][1]

    def path(self, index: int) -> Path | None:
        """None: no file stands behind an array."""
        return None

    def summary(self, class_id: int) -> list[str]:
        """Name and size of each tile of a class, for a file's provenance."""
        return [
            f"{name} {mask.shape[1]} x {mask.shape[0]}"
            for name, own, (_, mask) in zip(self._names, self.class_ids, self._samples, strict=True)
            if own == class_id
        ]


def check_image(what: str, image: object, spec: ImageSpec) -> np.ndarray:
    """An image as its network takes it: [H, W, C], of the type that it was trained on.

    Raises:
        DataError: another type or shape.
    """
    form = f"{spec.dtype} [H, W, {spec.channels}]"
    channels = ", ".join(map(str, spec.bands))
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"{what} is a {type(image).__name__}, but an image is a NumPy array, {form}; "
            "numpy.asarray(image) makes one of a Pillow image."
        )
    if image.ndim != 3 or image.shape[2] != spec.channels or 0 in image.shape:
        turned = image.ndim == 3 and image.shape[0] == spec.channels
        hint = " Bands come last: image.transpose(1, 2, 0)." if turned else ""
        raise DataError(
            f"{what} has shape {list(image.shape)}, but an image is [H, W, {spec.channels}]: rows, "
            f"columns, and {channels}.{hint}"
        )
    if image.dtype == spec.dtype:
        return image
    if spec.dtype == EIGHT_BIT:
        remedy = (
            "from 0 to 255. Bring the values to that range first: (255 * "
            "image).round().astype('uint8') where they lie between 0 and 1."
        )
    else:
        low, high = (spec.scale or ((0.0, 255.0),))[0]
        remedy = (
            f"as the network was trained, with black at {low:g} and white at {high:g}. Give the "
            "values as they stand in the files."
        )
    raise DataError(f"{what} is of type {image.dtype}, but an image is {spec.dtype}, {remedy}")


def holds_data(image: np.ndarray) -> np.ndarray:
    """Which pixels of an image [H, W, C] hold data, bool [H, W]: those that are finite numbers."""
    if not np.issubdtype(image.dtype, np.floating):
        return np.ones(image.shape[:2], dtype=bool)
    finite: np.ndarray = np.isfinite(image).all(axis=2)
    return finite


def channels_first(image: np.ndarray, spec: ImageSpec) -> Tensor:
    """The image [C, H, W], bytes or float32 in 0..1, a copy: the caller keeps the array.

    Pixels without data are 0 in every channel, as those of a tile are.
    """
    pixels = spec.pixels(np.ascontiguousarray(image.transpose(2, 0, 1))).copy()
    pixels[:, ~holds_data(image)] = 0
    return torch.from_numpy(pixels)


def _checked_pairs(name: str, pairs: object) -> Sequence[Tile]:
    if isinstance(pairs, tuple) and len(pairs) == 2 and isinstance(pairs[0], np.ndarray):
        raise DataError(
            f"support['{name}'] is one pair, but a list of pairs was expected, since a class may "
            f"have several tiles. Write [(image, mask)]."
        )
    if not isinstance(pairs, Sequence) or len(pairs) == 0:
        raise DataError(
            f"support['{name}'] has no tile. Give a list of at least one pair (image, mask)."
        )
    for number, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError(
                f"support['{name}'][{number}] is no pair of an image and its mask. Write "
                "(image, mask)."
            )
    return pairs


def _labels(what: str, image: np.ndarray, mask: object, class_id: int) -> Tensor:
    """The labels [H, W], int64."""
    if not isinstance(mask, np.ndarray) or mask.dtype not in (np.bool_, np.uint8):
        found = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise DataError(
            f"the mask of {what} is of type {found}, but a mask is a NumPy array of bool, or of "
            f"uint8 with 0, one other value for the class, and {IGNORE} where a pixel does not "
            "count."
        )
    if mask.shape != image.shape[:2]:
        raise DataError(
            f"the mask of {what} has shape {list(mask.shape)}, but its image has "
            f"{list(image.shape[:2])} rows and columns. Both must lie pixel on pixel."
        )
    empty = ~holds_data(image)
    if mask.dtype == np.bool_:
        own, ignored = mask & ~empty, empty
    else:
        ignored = (mask == IGNORE) | empty
        own = (mask != 0) & ~ignored
        values = np.unique(mask[own])
        if len(values) > 1:
            raise DataError(
                f"the mask of {what} holds the values {', '.join(map(str, values[:5]))}, but it is "
                f"of one class: 0, one other value, and {IGNORE}. Give `mask == {values[0]}`, and "
                "a list of its own for each class."
            )
    if not own.any():
        ignore = ""
        if ignored.any():
            ignore = f" ({IGNORE} means: does not count; if it is the class, give mask == {IGNORE})"
        if empty.any():
            ignore = f" ({int(empty.sum())} pixels of the image are no finite numbers)"
        raise DataError(
            f"the mask of {what} is empty: it marks no pixel of the class{ignore}. Leave the tile "
            "out, or mark the class in it."
        )
    labels = np.where(own, class_id, 0)
    return torch.from_numpy(np.where(ignored, IGNORE, labels).astype(np.int64))
