"""Cross entropy."""

from torch import Tensor, nn
from torch.nn import functional

from terrashot.ranges import check_range
from terrashot.taxonomy import IGNORE


class CrossEntropy(nn.Module):
    """Mean cross entropy over the labelled pixels; 0 when there are none.

    Args:
        label_smoothing: Share of the target that is spread evenly over all classes.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        check_range("loss.label_smoothing", label_smoothing, at_least=0, below=1)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits ``[B, K, H, W]`` and labels ``[B, H, W]`` to a scalar."""
        total = functional.cross_entropy(
            logits,
            target,
            ignore_index=IGNORE,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        # torch's own mean is nan for a crop without labels, which would poison the weights.
        return total / (target != IGNORE).sum().clamp(min=1)
