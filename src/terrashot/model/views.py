"""Flips and rotations: the mean of the probabilities over views of the same window."""

from collections.abc import Callable

import torch
from torch import Tensor

from terrashot.adaptation.inference import Inference
from terrashot.errors import ConfigError

VIEWS = ("plain", "flips", "dihedral", "mirror")
_OF_INFERENCE = {"none": "plain", "h": "mirror", "hv": "flips"}


def own_views(inference: Inference) -> str:
    """The name of the views that a method's maps are scored with."""
    return _OF_INFERENCE[inference.flips]


class Views:
    """Applies a model to several views of a batch and returns the mean of its answers.

    Args:
        name: ``plain``: the window as it is; ``flips``: all four mirrorings; ``dihedral``: these
            and the same turned by 90 degrees, eight in all; ``mirror``: as it is and left to
            right. Seen from above, land has no upright.

    Raises:
        ConfigError: another name.
    """

    def __init__(self, name: str) -> None:
        if name not in VIEWS:
            raise ConfigError(f"mapping.views is '{name}'; choose {', '.join(VIEWS)}.")
        self.turns = (0, 1) if name == "dihedral" else (0,)
        self.flips: list[tuple[int, ...]] = [()]
        if name == "mirror":
            self.flips = [(), (-1,)]
        elif name != "plain":
            self.flips = [(), (-1,), (-2,), (-2, -1)]
        self.count = len(self.turns) * len(self.flips)

    def __call__(self, model: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Mean probabilities [B, K, H, W] of ``images`` [B, 3, H, W], float32."""
        total: Tensor | None = None
        for turn in self.turns:
            turned = images.rot90(turn, (-2, -1))
            for flip in self.flips:
                view = turned.flip(flip) if flip else turned
                answer = model(view.contiguous()).float()
                answer = (answer.flip(flip) if flip else answer).rot90(-turn, (-2, -1))
                # A model may hand out a tensor that is not to be written into.
                total = answer if total is None else torch.add(total, answer)
        assert total is not None
        return total if self.count == 1 else total.div_(self.count)
