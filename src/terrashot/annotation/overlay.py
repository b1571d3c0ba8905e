"""What the head says of the scene: classes and confidence of a cell, features kept for the next."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from terrashot.annotation.feature_memory import FeatureMemory
from terrashot.image_spec import as_unit
from terrashot.mapping.scene import Scene
from terrashot.mapping.source import TileSource
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.even_upsampling import upsample_evenly
from terrashot.model.local_norm import normalise_locally
from terrashot.networks.segmenter import PAD_MULTIPLE
from terrashot.taxonomy import IGNORE


@dataclass(frozen=True)
class Cell:
    """A square of a scene, by the number of the scene, its row and its column."""

    scene: int
    row: int
    column: int


@dataclass(frozen=True)
class CellFeatures:
    """What the network sees of a cell.

    Args:
        features: Of it and a little around it [C, h, w].
        valid: Which pixels of the cell hold data, bool [H, W].
        top: First row of the cell in what the features cover, in pixels.
        left: First column.
        size: Of what they cover, in pixels.
    """

    features: Tensor
    valid: np.ndarray
    top: int
    left: int
    size: tuple[int, int]


class WindowFeatures(nn.Module):
    """The network as maps of scenes are made with it: the same features whatever the window.

    Args:
        network: Copied.
        norm_side: See ``normalise_locally``.
    """

    def __init__(self, network: AdaptedModel, norm_side: int | None) -> None:
        super().__init__()
        own = copy.deepcopy(network)
        upsample_evenly(own)
        self.segmenter = own.segmenter
        normalise_locally(self, norm_side)

    def forward(self, image: Tensor) -> Tensor:
        """Features ``[B, C, h, w]`` of images ``[B, C, H, W]`` in 0..1."""
        return self.segmenter.features(image).float()


class Overlay:
    """Maps cells of scenes with whatever head there is.

    Args:
        network: The stage-1 network.
        scenes: The scenes.
        memory: Keeps the features, in half precision.
        side: Of a cell in pixels, a multiple of 32.
        margin: What the network sees around a cell, likewise.
        norm_side: See ``WindowOptions``.
    """

    def __init__(
        self,
        network: AdaptedModel,
        scenes: list[Scene],
        memory: FeatureMemory,
        side: int = 512,
        margin: int = 128,
        norm_side: int | None = 256,
    ) -> None:
        self.scenes = scenes
        self.side = side
        self.stride = network.stride
        self._margin = margin
        self._memory = memory
        self._network = WindowFeatures(network, norm_side).eval()
        self._device = network.segmenter.head.weight.device

    def cells(self, scene: int) -> list[Cell]:
        """All cells of a scene."""
        own = self.scenes[scene]
        rows, columns = (-(-length // self.side) for length in (own.height, own.width))
        return [Cell(scene, row, column) for row in range(rows) for column in range(columns)]

    def has(self, cell: Cell) -> bool:
        """Whether there is such a cell."""
        return (
            0 <= cell.scene < len(self.scenes)
            and 0 <= cell.row * self.side < self.scenes[cell.scene].height
            and 0 <= cell.column * self.side < self.scenes[cell.scene].width
        )

    @torch.no_grad()
    def features(self, cell: Cell, keep: bool = True) -> CellFeatures:
        """What the network sees of a cell, kept or computed now.

        Args:
            cell: The cell.
            keep: Whether it is kept for the next time.

        Raises:
            DataError: the scene can't be read there.
        """
        scene = self.scenes[cell.scene]
        top, left = cell.row * self.side, cell.column * self.side
        height = min(self.side, scene.height - top)
        width = min(self.side, scene.width - left)
        first_row, first_column = max(0, top - self._margin), max(0, left - self._margin)
        rows, columns = (
            -(-(min(start + length + self._margin, most) - first) // PAD_MULTIPLE) * PAD_MULTIPLE
            for start, length, most, first in (
                (top, height, scene.height, first_row),
                (left, width, scene.width, first_column),
            )
        )
        inner = slice(top - first_row, top - first_row + height)
        across = slice(left - first_column, left - first_column + width)
        found, valid = self._memory.get(("cell", cell)), self._memory.get(("valid", cell))
        if found is None or valid is None:
            with TileSource(scene, [(first_row, first_column, rows, columns)]) as source:
                pixels, held = source.read(first_row, first_column, rows, columns)
            image = as_unit(torch.from_numpy(pixels).unsqueeze(0)).to(self._device)
            found = self._network(image)[0].half()
            found = found[:, self._kept(inner, rows), self._kept(across, columns)]
            valid = torch.from_numpy(np.ascontiguousarray(held[inner, across]))
            if keep:
                self._memory.put(("cell", cell), found)
                self._memory.put(("valid", cell), valid)
        features = found.to(self._device).float()
        size = features.shape[1] * self.stride, features.shape[2] * self.stride
        first = [
            self._kept(*side).start * self.stride for side in ((inner, rows), (across, columns))
        ]
        return CellFeatures(
            features, valid.numpy(), inner.start - first[0], across.start - first[1], size
        )

    def _kept(self, own: slice, whole: int) -> slice:
        """The features of a cell and of what smoothing and upsampling look at around it.

        Args:
            own: The cell's pixels in the window, along a side.
            whole: All of them.
        """
        around = min(self._margin, max(PAD_MULTIPLE, 4 * self.stride))
        stop = min(whole, -(-(own.stop + around) // PAD_MULTIPLE) * PAD_MULTIPLE)
        return slice(max(0, own.start - around) // self.stride, stop // self.stride)

    @torch.no_grad()
    def predict(self, cell: Cell, network: AdaptedModel) -> tuple[np.ndarray, np.ndarray]:
        """Class ids, 255 without data, and confidence in percent of a cell, both uint8 [H, W].

        Args:
            cell: The cell.
            network: Its head is asked.

        Raises:
            DataError: the scene can't be read there.
        """
        seen = self.features(cell)
        head = copy.copy(network)
        head.align_corners = False  # as maps of scenes are upsampled
        probabilities = head.from_maps([seen.features.unsqueeze(0)], seen.size)[0]
        height, width = seen.valid.shape
        own = probabilities[:, seen.top : seen.top + height, seen.left : seen.left + width]
        confidence, likeliest = own.max(dim=0)
        ids = likeliest.to(torch.uint8).cpu().numpy()
        percent = (confidence * 100).round().to(torch.uint8).cpu().numpy()
        return np.where(seen.valid, ids, IGNORE), np.where(seen.valid, percent, 0)
