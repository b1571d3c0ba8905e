"""One temperature that makes probabilities as sure as they are right.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017: the
logits of all classes are divided by one number, the temperature, that makes held-out labels
likeliest. It does as well there as a number a class (vector scaling), which a few support tiles
could not tell and which would change classes. Here it acts on the finished probabilities, after
smoothing, upsampling and the mean over views and windows, so that no class changes: to calibrate
the mean of several predictions is better than to take the mean of calibrated ones (Rahaman and
Thiery, "Uncertainty Quantification and Deep Ensembles", NeurIPS 2021).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LOWEST, HIGHEST = 1 / 8, 8.0
"""Bounds of a temperature: labels that are all as predicted would ask for 0."""
_POINTS = 43


@dataclass(frozen=True)
class Calibration:
    """What is known of a model's confidence.

    Args:
        temperature: See ``tempered``; None: it is not calibrated.
        how: What the temperature was fitted to, or why there is none.
    """

    temperature: float | None = None
    how: str = "the file of the model has no temperature"

    def apply(self, probabilities: Tensor) -> Tensor:
        """Probabilities ``[K, ...]``, calibrated where that is known."""
        if self.temperature is None:
            return probabilities
        return tempered(probabilities, self.temperature)

    def describe(self) -> str:
        """The same in words."""
        if self.temperature is None:
            return f"not calibrated: {self.how}"
        return f"calibrated with temperature {self.temperature:.4g}, fitted to {self.how}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {"temperature": self.temperature, "how": self.how}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "Calibration":
        """What ``to_dict`` gave; None: nothing is known, as of the files of earlier versions.

        Raises:
            ValueError: the temperature is no number above 0.
        """
        if values is None:
            return cls()
        found = values["temperature"]
        if found is not None and not 0 < float(found) < float("inf"):
            raise ValueError(f"its temperature is {found}, but it must be a number above 0")
        return cls(None if found is None else float(found), str(values["how"]))


def tempered(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities ``[K, ...]`` as if their logits had been divided by a temperature.

    Above 1 they become more cautious, below 1 surer; the likeliest class stays the likeliest.
    """
    values = probabilities.float()
    return (values.clamp(min=torch.finfo(values.dtype).tiny).log() / temperature).softmax(dim=0)


class TemperatureFit:
    """Finds the temperature that makes labels likeliest, tile by tile.

    The likelihood is summed at many temperatures at once, so that nothing of a tile is kept and
    several processes can add up their ``sums``; a parabola through the three best gives the
    optimum to a few thousandths.

    Attributes:
        sums: Negative log-likelihood at each of the temperatures, in their logarithms evenly
            spaced, and as the last number the pixels; float64.
    """

    def __init__(self) -> None:
        ends = torch.tensor([LOWEST, HIGHEST], dtype=torch.float64).log()
        self._logs = torch.linspace(float(ends[0]), float(ends[1]), _POINTS, dtype=torch.float64)
        self.sums = torch.zeros(_POINTS + 1, dtype=torch.float64)

    @torch.no_grad()
    def add(self, probabilities: Tensor, allowed: Tensor, most: int = 16384) -> None:
        """Take in the pixels of one tile.

        Args:
            probabilities: ``[K, N]``.
            allowed: Whether the label allows a class ``[K, N]``, bool. Where it allows several,
                their probabilities count together: "anything but a car" is all but one. Pixels
                whose label allows none, or all, say nothing and are left out.
            most: So many pixels are looked at, evenly spread: neighbours say the same.
        """
        counts = allowed.sum(dim=0)
        told = ((counts > 0) & (counts < allowed.shape[0])).nonzero()[:, 0]
        if not len(told):
            return
        told = told[:: -(-len(told) // most)]
        values = probabilities[:, told].float()
        logits = values.clamp(min=torch.finfo(values.dtype).tiny).log()
        named = logits.masked_fill(~allowed[:, told], -torch.inf)
        lost = [
            ((logits / place).logsumexp(dim=0) - (named / place).logsumexp(dim=0)).mean()
            for place in self._logs.exp().tolist()
        ]
        self.sums[:-1] += torch.stack(lost).cpu().double() * len(told)
        self.sums[-1] += len(told)

    @property
    def temperature(self) -> float | None:
        """The optimum, from ``LOWEST`` to ``HIGHEST``; None where no pixel was taken in."""
        if not self.sums[-1]:
            return None
        losses = self.sums[:-1]
        best = int(losses.argmin())
        if best in (0, _POINTS - 1):
            return float(self._logs[best].exp())
        left, middle, right = losses[best - 1 : best + 2].tolist()
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
        step = float(self._logs[1] - self._logs[0])
        return float(torch.exp(self._logs[best] + shift * step))


def allowed_classes(mask: Tensor, num_classes: int, tile_class: int | None = None) -> Tensor:
    """Which classes a label allows, bool ``[K, N]``; none where it is ignored.

    Args:
        mask: Labels ``[N]``.
        num_classes: K.
        tile_class: The tile was labelled for this class alone: its label 0 means anything but
            that class. None: 0 is background.
    """
    classes = torch.arange(num_classes, device=mask.device).unsqueeze(1)
    allowed = mask.unsqueeze(0) == classes
    if tile_class is not None:
        allowed = torch.where(mask == 0, classes != tile_class, allowed)
    return allowed
