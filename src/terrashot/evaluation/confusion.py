"""The confusion matrix that every score is computed from."""

from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from terrashot.errors import DataError
from terrashot.taxonomy import IGNORE


class ConfusionMatrix(MulticlassConfusionMatrix):
    """Pixels by true class (rows) and predicted class (columns), int64 ``[K, K]``.

    Counts are summed over processes, so the numbers of several processes equal those of one.

    Args:
        num_classes: K, background included.
    """

    def __init__(self, num_classes: int) -> None:
        # torchmetrics' own validation sorts every pixel (torch.unique); the check below does not.
        super().__init__(num_classes=num_classes, ignore_index=IGNORE, validate_args=False)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count the pixels of one tile or batch.

        Args:
            prediction: Predicted class ids, any integer type, any shape.
            target: True class ids, the same shape; ``IGNORE`` where unlabelled.

        Raises:
            DataError: unlike shapes, or a class id that is neither a class nor ``IGNORE``.
        """
        if prediction.shape != target.shape:
            raise DataError(
                f"evaluation: the prediction has shape {tuple(prediction.shape)} but its label "
                f"{tuple(target.shape)}. They must be equal: predict at the size of the label."
            )
        if target.numel() == 0:
            return
        # An id out of range would be counted in another class' cell, silently.
        labelled = target != IGNORE
        for what, ids in (("label", target[labelled]), ("prediction", prediction[labelled])):
            if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.num_classes:
                raise DataError(
                    f"evaluation: a {what} holds class id "
                    f"{int(ids.max()) if int(ids.max()) >= self.num_classes else int(ids.min())}, "
                    f"but the taxonomy has ids 0 to {self.num_classes - 1} (and "
                    f"{IGNORE} for ignore). Mend the label or the taxonomy."
                )
        super().update(prediction, target)
