"""Ridge regression from features to class probabilities, in closed form."""

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.closed_form import ClosedFormMethod
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import FeatureScale, standardised
from terrashot.ranges import check_range


class Ridge(ClosedFormMethod):
    """Least squares with a penalty on the weights, ``W = Y X^T (X X^T + penalty P I)^-1``.

    Targets Y: 1 for the class of a novel pixel; at label 0 what the frozen head says of the base
    classes, so that they are kept. Features are standardised, which makes the penalty mean the
    same for every network; biases follow from the means and are free.

    Args:
        name: For tables.
        penalty: Relative to the features' variance, which is 1.
        background_weight: How much a pixel of label 0 counts; novel ones count 1.
        sharpness: Factor of the scores before the softmax; of no meaning for the likeliest class.
        parts: See ``ClosedFormMethod``.

    Raises:
        ConfigError: a setting is not above 0.
    """

    def __init__(
        self,
        name: str = "ridge",
        penalty: float = 0.01,
        background_weight: float = 1.0,
        sharpness: float = 10.0,
        **parts: object,
    ) -> None:
        super().__init__(name, **parts)
        for key, value in {
            "penalty": penalty, "background_weight": background_weight, "sharpness": sharpness
        }.items():  # fmt: skip
            check_range(f"method.{key}", value, above=0)
        self.penalty = penalty
        self.background_weight = background_weight
        self.sharpness = sharpness

    def head(self, snapshot: LinearHead, support: SupportPixels) -> LinearHead:
        """Solve the normal equations in double precision."""
        scale = standardised(support)
        channels = support.channels
        gram = torch.zeros(channels + 1, channels + 1, dtype=torch.float64)
        moments = torch.zeros(support.num_classes, channels + 1, dtype=torch.float64)
        total = 0.0
        for block in support.blocks:
            weight = self.background_weight if block.label == 0 else 1.0
            pixels = block.pixels.to(support.like)
            design = _design(pixels, scale)  # [C + 1, n]
            targets = self._targets(block.label or 0, pixels, snapshot, support)
            gram += weight * (design @ design.T).double().cpu()
            moments += weight * (targets @ design.T).double().cpu()
            total += weight * pixels.shape[1]
        # The last row is the bias, which is not penalised.
        penalty = torch.full((channels + 1,), self.penalty * total, dtype=torch.float64)
        penalty[-1] = 0.0
        solution = torch.linalg.solve(gram + penalty.diag(), moments.T).T * self.sharpness
        solution = solution.to(support.like)
        return LinearHead(*scale.to_raw(solution[:, :-1], solution[:, -1]))

    def _targets(
        self, label: int, pixels: Tensor, snapshot: LinearHead, support: SupportPixels
    ) -> Tensor:
        """What the scores of a block's pixels should be ``[K, n]``."""
        targets = pixels.new_zeros(support.num_classes, pixels.shape[1])
        if label:
            targets[label] = 1.0
        else:
            logits = snapshot.weight @ pixels + snapshot.bias.unsqueeze(1)
            targets[: support.num_base] = logits.softmax(dim=0)
        return targets


def _design(pixels: Tensor, scale: FeatureScale) -> Tensor:
    """Standardised features with a row of ones below ``[C + 1, n]``."""
    assert scale.mean is not None
    scaled = (pixels - scale.mean.unsqueeze(1)) * scale.factor.unsqueeze(1)
    return torch.cat([scaled, torch.ones_like(scaled[:1])])
