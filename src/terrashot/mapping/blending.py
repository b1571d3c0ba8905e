"""Blending: overlapping windows become rows of a map, in memory that no height changes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.temperature import Calibration
from terrashot.mapping.plan import WindowPlan
from terrashot.mapping.postprocess.block_map import NODATA

_CHUNK = 64
"""Rows whose classes are chosen at once: their probabilities then stay in the processor's cache."""


@dataclass(frozen=True)
class Layers:
    """What is kept of the probabilities beside the class.

    Args:
        confidence: the probability of the chosen class.
        probabilities: ids of classes whose probability is kept.
    """

    confidence: bool = False
    probabilities: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Bands: the class, and what else is kept."""
        return 1 + int(self.confidence) + len(self.probabilities)


class Blender:
    """Takes the windows of a scene row by row, left to right, and gives back finished rows.

    Only what later windows still add to is kept: the right overlap of the last window, and the
    lower overlap of the row [K, overlap, width] in half precision. Sums are always formed in the
    same order (window, then its left, then its upper neighbours), so that a run that goes on in
    the middle of a scene gives the same map.

    Args:
        plan: the windows of the scene.
        layers: what to keep.
        calibration: of the probabilities that are kept; it changes no class.
    """

    def __init__(
        self, plan: WindowPlan, layers: Layers, calibration: Calibration | None = None
    ) -> None:
        self.plan = plan
        self.layers = layers
        self.calibration = calibration or Calibration()
        self._weights: tuple[list[Tensor], list[Tensor]] | None = None
        self._edge: Tensor | None = None  # [K, size, overlap] right of the last window
        self._edge_column = -1
        self._above: Tensor | None = None  # [K, overlap, width], overlap of the row above
        self._below: Tensor | None = None  # the same, being filled for the row below

    def start_row(self, row: int) -> Tensor:
        """Begin a row of windows; returns its output, uint8 [layers, rows, width], all nodata."""
        first, stop = self.plan.rows.finished(row)
        self._above, self._below = self._below, None
        self._edge = None
        shape = (self.layers.count, stop - first, self.plan.columns.length)
        return torch.full(shape, NODATA, dtype=torch.uint8)

    def add(self, row: int, column: int, window: Tensor, valid: Tensor, out: Tensor) -> None:
        """Add one window of the row, and write what is finished by it.

        A window without valid pixels may be left out.

        Args:
            row: of the window.
            column: of the window.
            window: its probabilities [K, size, size], which are changed in place.
            valid: which of its pixels hold data, bool [size, size].
            out: what ``start_row`` returned.
        """
        rows, columns = self.plan.rows, self.plan.columns
        down, across = self._profiles(window)
        window *= down[row][:, None]
        window *= across[column]
        if self._edge is not None and self._edge_column == column - 1:
            window[:, :, : self._edge.shape[2]] += self._edge
        left, right = columns.finished(column)
        step = right - left
        if column + 1 < len(columns):
            self._edge, self._edge_column = window[:, :, step:].clone(), column
        done = window[:, :, :step]
        if self._above is not None:
            done[:, : self._above.shape[1]] += self._above[:, :, left:right]
        top, bottom = rows.finished(row)
        height = bottom - top
        if row + 1 < len(rows):
            if self._below is None:
                shape = (window.shape[0], rows.size - height, columns.length)
                self._below = window.new_zeros(shape, dtype=torch.float16)
            self._below[:, :, left:right] = done[:, height:]
        result = self._choose(done[:, :height])
        result.masked_fill_(~valid[:height, :step], NODATA)
        out[:, :, left:right] = result.cpu()

    def _choose(self, probabilities: Tensor) -> Tensor:
        """Class, confidence and chosen probabilities in percent, uint8 [layers, h, w]."""
        layers = self.layers
        out = probabilities.new_empty((layers.count, *probabilities.shape[1:]), dtype=torch.uint8)
        for top in range(0, probabilities.shape[1], _CHUNK):
            part, rows = probabilities[:, top : top + _CHUNK], slice(top, top + _CHUNK)
            # On a processor several times as fast as torch's argmax over the first dimension.
            best, classes = part[0].clone(), out[0, rows].zero_()
            for index in range(1, part.shape[0]):
                classes.masked_fill_(part[index] > best, index)
                torch.maximum(best, part[index], out=best)
            if layers.count > 1 and self.calibration.temperature is not None:
                part = self.calibration.apply(part)
                best = part.amax(dim=0)
            kept = [best] if layers.confidence else []
            kept += [part[index] for index in layers.probabilities]
            for band, values in enumerate(kept, start=1):
                out[band, rows] = values.mul(100).round_().clamp_(0, 100).to(torch.uint8)
        return out

    def _profiles(self, like: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        if self._weights is None:
            rows, columns = self.plan.rows.weights, self.plan.columns.weights
            self._weights = (
                [torch.from_numpy(w).to(like) for w in rows],
                [torch.from_numpy(w).to(like) for w in columns],
            )
        return self._weights
