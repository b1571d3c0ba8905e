"""What a novel class is not, where nobody has said so: the frozen head's sure base pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.striding import labels_to_size
from terrashot.data.support_windows import SupportWindows
from terrashot.errors import ConfigError
from terrashot.taxonomy import IGNORE


class SureBase:
    """Labels with 0, "anything but the class of this window", what the head is sure of.

    Drawn objects say what a class is and, without completely labelled areas, not what it is not; a
    head that learns from them alone gives them the whole map. In stage 1 novel classes were part
    of the background. So an unlabelled pixel that the frozen head gives to a base class other than
    background is hardly of a novel one. Pixels that it takes for background may be, and stay
    unknown. To ask for more than that the base class is the likeliest leaves out what is hard to
    tell from the novel classes, and has measured worse (docs/data.md).

    Args:
        windows: The windows, which tell what is unlabelled.
        least: Smallest probability, 0 to 1.

    Raises:
        ConfigError: it lies elsewhere.
    """

    def __init__(self, windows: SupportWindows, least: float) -> None:
        if not 0 <= least <= 1:
            raise ConfigError(
                f"support.sure is {least}, but it must lie from 0 to 1: a probability."
            )
        self._windows = windows
        self._least = least

    @torch.no_grad()
    def labels(
        self, features: Sequence[Tensor], labels: Sequence[Tensor], head: LinearHead
    ) -> list[Tensor]:
        """The labels of all windows, with 0 where the head is sure.

        Args:
            features: Of each window ``[C, h, w]``.
            labels: Of each window ``[h, w]``.
            head: The frozen head.
        """
        found = []
        for index, (pixels, known) in enumerate(zip(features, labels, strict=True)):
            weight = head.weight
            logits = torch.einsum("kc,chw->khw", weight, pixels.to(weight))
            probability, best = (logits + head.bias.view(-1, 1, 1)).softmax(dim=0).max(dim=0)
            sure = (best != 0) & (probability >= self._least)
            height, width = known.shape
            unlabelled = labels_to_size(self._windows.unlabelled(index), (height, width))
            free = unlabelled.to(known.device) & (known == IGNORE)
            found.append(torch.where(free & sure.to(known.device), 0, known))
        return found
