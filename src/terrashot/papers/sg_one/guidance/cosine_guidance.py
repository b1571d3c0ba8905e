"""Cosine guidance: novel logits rise where a pixel looks like the class, and fall elsewhere."""

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import standardised
from terrashot.errors import ConfigError

_MODES = ("gate", "add")


class CosineGuidance:
    """The similarity map of SG-One as a gate on novel logits.

    Each novel class has a prototype: the mean of its standardised support pixels. A pixel's cosine
    with it counts from a threshold half-way between the mean cosine of the class' own pixels and
    that of the other pixels in its tiles, so that guidance is neutral where they meet.

    Source of prototype and map: Zhang et al., "SG-One", 2018, equations 1 and 2.

    Args:
        mode: ``gate``: the unnormalised probability of the class is multiplied by
            ``2 sigmoid(strength g)``, g the cosine above its threshold: at most doubled, and taken
            towards 0 where the pixel is unlike. ``add``: ``strength g`` is added to the logit.
        strength: How sharply; 0 changes nothing.

    Raises:
        ConfigError: an unknown mode or a negative strength.
    """

    def __init__(self, mode: str = "gate", strength: float = 8.0) -> None:
        if mode not in _MODES:
            raise ConfigError(f"guidance.mode is '{mode}', but it must be {' or '.join(_MODES)}.")
        if not 0 <= strength < float("inf"):
            raise ConfigError(
                f"guidance.strength is {strength}, but it must be a number of 0 or more; 0 leaves "
                "the logits as they are."
            )
        self.mode = mode
        self.strength = strength

    @torch.no_grad()
    def fit(self, support: SupportPixels) -> None:
        """Take prototypes and thresholds from the support."""
        self.num_base = support.num_base
        self._scale = standardised(support)
        novel = range(support.num_base, support.num_classes)
        sums = [
            torch.stack([self._scaled(b).sum(dim=1) for b in support.of_class(i)]).sum(dim=0)
            for i in novel
        ]
        self._prototypes = functional.normalize(torch.stack(sums), dim=1)  # [N, C]
        self._thresholds = torch.stack([self._threshold(support, i) for i in novel])

    def guidance(self, features: Tensor) -> Tensor:
        """How much more like each novel class than not: features ``[C, ...]`` to ``[N, ...]``."""
        pixels = features.to(self._prototypes).flatten(1)
        found = self._cosines(pixels) - self._thresholds.unsqueeze(1)
        return found.unflatten(1, features.shape[1:])

    @torch.no_grad()
    def apply(self, logits: Tensor, features: Tensor) -> Tensor:
        """Logits ``[K, h, w]`` of features ``[C, h, w]``, novel ones guided."""
        value = self.strength * self.guidance(features)
        if self.mode == "gate":
            value = functional.logsigmoid(value) - functional.logsigmoid(torch.zeros_like(value))
        base, novel = logits[: self.num_base], logits[self.num_base :]
        return torch.cat([base, novel + value.to(novel)])

    def _threshold(self, support: SupportPixels, index: int) -> Tensor:
        """Half-way between the mean cosines of the class' pixels and of others in its tiles."""
        row = index - support.num_base
        means: list[Tensor] = []
        for own in (True, False):
            total, count = self._prototypes.new_zeros(()), 0
            for block in support.blocks:
                if block.tile_class == index and (block.label == index) == own:
                    cosines = self._cosines(block.pixels.to(self._prototypes))[row]
                    total, count = total + cosines.sum(), count + len(cosines)
            means.append(total / max(1, count))  # nothing else in the tiles: 0, the mean pixel
        return (means[0] + means[1]) / 2

    def _cosines(self, pixels: Tensor) -> Tensor:
        """Cosines ``[N, P]`` of pixels ``[C, P]``."""
        scaled = self._scaled(pixels)
        lengths = torch.linalg.vector_norm(scaled, dim=0).clamp(min=1e-12)
        return self._prototypes @ scaled / lengths

    def _scaled(self, pixels: Tensor) -> Tensor:
        mean = self._scale.mean
        assert mean is not None
        return (pixels - mean.unsqueeze(1)) * self._scale.factor.unsqueeze(1)
