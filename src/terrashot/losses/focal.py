"""Focal loss."""

from torch import Tensor, nn
from torch.nn import functional

from terrashot.ranges import check_range
from terrashot.taxonomy import IGNORE


class Focal(nn.Module):
    """Multiclass focal loss: the mean of ``-alpha (1 - p_y)^gamma log p_y`` over labelled pixels.

    Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017. With ``gamma=0`` and
    ``alpha=1`` it is the cross entropy.

    Args:
        gamma: How strongly well classified pixels are played down.
        alpha: Factor of the whole loss.
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 1.0) -> None:
        super().__init__()
        check_range("loss.gamma", gamma, at_least=0)
        check_range("loss.alpha", alpha, above=0)
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits ``[B, K, H, W]`` and labels ``[B, H, W]`` to a scalar."""
        cross_entropy = functional.cross_entropy(
            logits, target, ignore_index=IGNORE, reduction="none"
        )  # [B, H, W], 0 where ignored
        # 1 - p_y through expm1: exact where p_y is close to 1, and its power has a finite slope.
        missed = -(-cross_entropy).expm1()
        weight = missed.clamp(min=1e-12) ** self.gamma
        valid = (target != IGNORE).sum().clamp(min=1)
        return self.alpha * (weight * cross_entropy).sum() / valid
