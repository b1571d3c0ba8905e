"""Cross entropy."""

from torch import Tensor, nn
from torch.nn import functional


class CrossEntropy(nn.Module):
    """Mean cross entropy over the labelled pixels; 0 when there are none.

    Args:
        label_smoothing: Share of the target that is spread evenly over all classes.
        ignore_index: Label of pixels that do not count.
    """

    def __init__(self, label_smoothing: float = 0.0, ignore_index: int = 255) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits ``[B, K, H, W]`` and labels ``[B, H, W]`` to a scalar."""
        total = functional.cross_entropy(
            logits,
            target,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        # torch's own mean is nan for a crop without labels, which would poison the weights.
        return total / (target != self.ignore_index).sum().clamp(min=1)
