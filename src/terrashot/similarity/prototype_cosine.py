"""Similarity from cosines: between class means, or of pixels with class means."""

import torch
from torch import Tensor

from terrashot.errors import ConfigError
from terrashot.similarity.estimator import FeatureBank, as_shares, cosine, present_classes
from terrashot.similarity.options import checked_temperature

_MODES = ("prototype", "pixel")
_NORMALISERS = ("softmax", "relu_l1", "none")


class PrototypeCosine:
    """Cosines of novel and base classes, each column normalised over the base classes.

    The means are those of masked average pooling (Zhang et al., "SG-One", 2018): over the pixels
    of the class alone. Base classes without pixels take no part. Features of any scale give the
    same matrix.

    Args:
        temperature: The cosines are divided by it before the softmax.
        centre: Take the mean over the classes off the class means first. Features after a ReLU
            all point the same way, so that without it every cosine is large. A mean over pixels
            would lie at the most frequent class and push that one away from all others.
        mode: ``prototype``: cosine between the class means. ``pixel``: mean over the pixels of the
            novel class of their cosine with the base mean, which is lower where they scatter.
        normaliser: ``softmax``; ``relu_l1``: negative cosines become 0, columns are divided by
            their sum (uniform where all are 0); ``none``: the cosines, which may be negative and
            do not sum to 1.

    Raises:
        ConfigError: ``temperature`` is not above 0, or an unknown mode or normaliser.
    """

    def __init__(
        self,
        temperature: float = 0.5,
        centre: bool = True,
        mode: str = "prototype",
        normaliser: str = "softmax",
    ) -> None:
        self.temperature = checked_temperature(temperature)
        self.centre = centre
        self.mode = _checked("mode", mode, _MODES)
        self.normaliser = _checked("normaliser", normaliser, _NORMALISERS)
        self.all_pixels = False

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, float64.

        Raises:
            DataError: no base class has a pixel.
        """
        present = present_classes(base)
        base_means, novel_means = base.means.double()[present], novel.means.double()
        mean = torch.zeros_like(novel_means[0])
        if self.centre:
            mean = torch.cat([base_means, novel_means]).mean(dim=0)
        if self.mode == "pixel":
            cosines = _pixel_cosines(base_means - mean, novel, mean)
        else:
            cosines = cosine(base_means - mean, novel_means - mean)
        return self._normalised(cosines, present)

    def _normalised(self, cosines: Tensor, present: Tensor) -> Tensor:
        if self.normaliser == "softmax":
            return as_shares(cosines / self.temperature, present)
        found = cosines.new_zeros(len(present), cosines.shape[1])
        if self.normaliser == "relu_l1":
            cosines = cosines.relu()
            total = cosines.sum(dim=0)
            cosines = torch.where(total > 0, cosines / total, 1 / len(cosines))
        found[present] = cosines
        return found


def _pixel_cosines(base: Tensor, novel: FeatureBank, mean: Tensor) -> Tensor:
    """Mean cosine ``[base, novel]`` of the pixels of each novel class with base vectors."""
    columns = []
    for index in range(len(novel.counts)):
        total, count = base.new_zeros(len(base)), 0
        for block in novel.pixels_of(index):  # [C, n]
            vectors = block.double().T - mean
            total += cosine(base, vectors).sum(dim=1)
            count += len(vectors)
        columns.append(total / max(1, count))
    return torch.stack(columns, dim=1)


def _checked(key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ConfigError(f"similarity.{key} is '{value}'; it must be {', '.join(choices)}.")
    return value
