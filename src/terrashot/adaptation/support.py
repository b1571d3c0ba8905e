"""The support set once it is features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from terrashot.adaptation.striding import labels_to_size
from terrashot.errors import DataError


class SupportFeatures:
    """Support pixels sorted by label; built once, shared by all queries.

    Args:
        features: One map ``[C, h, w]`` a tile (a tensor ``[S, C, h, w]`` will do); sizes may
            differ.
        labels: One map ``[h, w]`` a tile, integers: 0, the tile's novel class, ``ignore_index``.
            A base class is allowed too; the method says what becomes of it.
        num_base: Base classes, background included.
        num_novel: Novel classes.
        ignore_index: Label of pixels that do not count.
        class_names: All classes in label order, for messages.
        stride: Pixels of the image between two features, for messages.

    Attributes:
        pixels: Features of the labelled pixels ``[C, P]``, sorted by label.
        all_pixels: The same followed by the ignored pixels ``[C, all]``, one storage.
        counts: Labelled pixels of each class ``[K]``, which are also the lengths of the blocks.

    Raises:
        DataError: no tiles, unlike shapes, features that are not finite, a label out of range, a
            novel class without a pixel.
    """

    def __init__(
        self,
        features: Sequence[Tensor] | Tensor,
        labels: Sequence[Tensor] | Tensor,
        num_base: int,
        num_novel: int,
        ignore_index: int = 255,
        class_names: Sequence[str] | None = None,
        stride: int | None = None,
    ) -> None:
        self.num_base = num_base
        self.num_novel = num_novel
        self.num_classes = num_base + num_novel
        _check_shapes(features, labels)
        device = features[0].device
        # Numpy-like uint8 labels must not wrap around, and half precision is too coarse here.
        maps = [label.to(device, torch.int64) for label in labels]
        exact = features[0].dtype in (torch.float32, torch.float64)
        self.validity_maps = [label != ignore_index for label in maps]
        total = sum(label.numel() for label in maps)
        self.all_pixels = torch.empty(
            (features[0].shape[0], total),
            dtype=features[0].dtype if exact else torch.float32,
            device=device,
        )
        counts, position = [], 0
        for value in [*range(self.num_classes), ignore_index]:
            begin = position
            for tile, label in zip(features, maps, strict=True):
                block = tile.flatten(1)[:, (label == value).flatten()]
                self.all_pixels[:, position : position + block.shape[1]] = block
                position += block.shape[1]
            counts.append(position - begin)
        if position != total:
            self._raise_foreign_label(maps, ignore_index)
        self.counts = torch.tensor(counts[:-1], device=device)
        self.pixels = self.all_pixels[:, : total - counts[-1]]
        self._check_features()
        self._check_classes(class_names, stride)

    @property
    def num_tiles(self) -> int:
        """Support tiles of all classes together."""
        return len(self.validity_maps)

    @property
    def rms_norm(self) -> float:
        """Root mean square length of the feature vectors of the labelled pixels."""
        norm = torch.linalg.vector_norm(self.pixels, dtype=torch.float64)
        return float(norm) / math.sqrt(self.pixels.shape[1])

    def validity(self, size: tuple[int, int]) -> Tensor:
        """Number of tiles that are labelled at each place ``[h, w]``, at the size of a query."""
        return torch.stack([labels_to_size(v, size) for v in self.validity_maps]).sum(dim=0)

    def _check_features(self) -> None:
        # A sum is finite only when every term is; it reads the features once, without a copy.
        if not bool(torch.isfinite(self.all_pixels.sum(dtype=torch.float64))):
            raise DataError(
                "support: the features hold NaN or infinite values, but adaptation needs finite "
                "ones. The stage-1 network has most likely diverged: look at its training loss, "
                "or use full instead of half precision."
            )

    def _check_classes(self, names: Sequence[str] | None, stride: int | None) -> None:
        for index in range(self.num_base, self.num_classes):
            if self.counts[index] == 0:
                name = f"{index} ('{names[index]}')" if names else str(index)
                at = f" at feature stride {stride}" if stride else ""
                raise DataError(
                    f"support: class {name} has no labelled pixel{at} in any of the "
                    f"{self.num_tiles} support tiles, but each novel class needs at least one. "
                    "Lower adaptation.feature_stride if the class is lost by downsampling, or "
                    "check the support tiles that the list file names for this class."
                )

    def _raise_foreign_label(self, maps: list[Tensor], ignore_index: int) -> None:
        for number, label in enumerate(maps):
            bad = label[((label < 0) | (label >= self.num_classes)) & (label != ignore_index)]
            if bad.numel():
                raise DataError(
                    f"support: tile {number} holds label {int(bad[0])}, but labels go from 0 to "
                    f"{self.num_classes - 1}, or are {ignore_index} for ignore. Mend the label or "
                    "choose the taxonomy that it was drawn with."
                )


def _check_shapes(features: Sequence[Tensor] | Tensor, labels: Sequence[Tensor] | Tensor) -> None:
    if len(features) == 0 or len(features) != len(labels):
        raise DataError(
            f"support: there are {len(features)} feature maps and {len(labels)} label maps, but "
            "each support tile needs one of both, and there must be at least one tile."
        )
    for number, (tile, label) in enumerate(zip(features, labels, strict=True)):
        expected = (features[0].shape[0], *label.shape)
        if tuple(tile.shape) != expected:
            raise DataError(
                f"support: tile {number} has features of shape {tuple(tile.shape)} and labels of "
                f"shape {tuple(label.shape)}; expected features {expected}. Bring the labels to "
                "feature resolution and use one network for all tiles."
            )
