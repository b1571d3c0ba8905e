"""Cross entropy with Dice: the stage-1 loss of ClassTrans."""

from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor, nn

from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.ranges import check_range
from terrashot.taxonomy import IGNORE


class CrossEntropyDice(nn.Module):
    """Label-smoothed cross entropy plus the multiclass Dice loss over the classes in the batch.

    Source: ClassTrans-Train (label smoothing 0.1, both terms at weight 1). The Dice term of a
    class without a labelled pixel in the batch is 0; the mean runs over all K classes, as in
    segmentation_models_pytorch.

    Args:
        label_smoothing: Of the cross entropy.
        dice_weight: Factor of the Dice term.
    """

    def __init__(self, label_smoothing: float = 0.1, dice_weight: float = 1.0) -> None:
        super().__init__()
        self.cross_entropy = CrossEntropy(label_smoothing)
        self.dice = DiceLoss(mode="multiclass", ignore_index=IGNORE)
        check_range("loss.dice_weight", dice_weight, at_least=0)
        self.dice_weight = dice_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits ``[B, K, H, W]`` and labels ``[B, H, W]`` to a scalar."""
        # Sums over a batch of pixels lose too much in half precision.
        dice = self.dice(logits.float(), target)
        return self.cross_entropy(logits, target) + self.dice_weight * dice
