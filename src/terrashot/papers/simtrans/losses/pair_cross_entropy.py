"""Cross entropy over pairs: are two units of one class?"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrashot.errors import ConfigError


def pair_targets(labels: Tensor) -> Tensor:
    """1 where both units of an ordered pair share their label, else 0, int64 ``[B^2]``."""
    return (labels.unsqueeze(0) == labels.unsqueeze(1)).flatten().long()


class PairCrossEntropy(nn.Module):
    """Mean cross entropy over ordered pairs.

    Source: SimTrans. Similar pairs are rare, one in as many as there are classes in a batch.

    Args:
        similar_weight: Weight of the similar pairs; ``classes``: the number of classes in the
            batch; None: 1. The mean is weighted.

    Raises:
        ConfigError: another weight.
    """

    def __init__(self, similar_weight: float | str | None = None) -> None:
        super().__init__()
        number = isinstance(similar_weight, int | float) and similar_weight > 0
        if not (similar_weight is None or similar_weight == "classes" or number):
            raise ConfigError(
                f"units.similar_weight is {similar_weight!r}, but it must be a number above 0, "
                "'classes' (the number of classes in a batch), or null."
            )
        self.similar_weight = similar_weight

    def forward(self, scores: Tensor, labels: Tensor, use: Tensor | None = None) -> Tensor:
        """Scores ``[B^2, 2]`` and labels ``[B]`` to a scalar.

        Args:
            scores: Of all ordered pairs, as ``PairHead`` lists them.
            labels: Class of each unit.
            use: Which pairs count, bool ``[B^2]``; None: all.
        """
        weight: Tensor | None = None
        if self.similar_weight is not None:
            similar = self.similar_weight
            value = float(len(labels.unique()) if isinstance(similar, str) else similar)
            weight = scores.new_tensor([1.0, value])
        targets = pair_targets(labels)
        if use is not None:
            scores, targets = scores[use], targets[use]
        if not len(targets):
            return torch.zeros((), device=scores.device, dtype=scores.dtype) * scores.sum()
        return functional.cross_entropy(scores, targets, weight=weight)
