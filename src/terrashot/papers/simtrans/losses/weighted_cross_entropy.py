"""Cross entropy with a weight for each sample."""

from torch import Tensor
from torch.nn import functional


def weighted_cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """``(1/B) sum w_i CE_i``: weights have mean 1 over the set, not over the batch.

    Args:
        logits: ``[B, K]``.
        target: Class ids ``[B]``.
        weights: ``[B]``.
    """
    return (weights * functional.cross_entropy(logits.float(), target, reduction="none")).mean()
