"""Any stage-2 method on data whose classes are complete: no pixel is background."""

from copy import copy
from dataclasses import replace

import torch

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.methods.wrapped import WrappedMethod

NEVER = -1e4
"""A logit beside which all others win; finite, so that files and other programs can hold it."""


class CompleteMethod(WrappedMethod):
    """The heads of a method, background ruled out.

    In stage 1 the pixels of novel classes are background, and a frozen head keeps saying so. Where
    every pixel is of a base or a novel class that word is known to be wrong. The descent is not
    told: it needs background as the place where novel classes come from.

    Args:
        method: The method.
    """

    def __copy__(self) -> "CompleteMethod":
        """Another one, which may be fitted to something else."""
        return CompleteMethod(copy(self.method))

    def changed(self, head: AdaptedHead) -> AdaptedHead:
        """The head, its logit of label 0 below all others."""
        bias = head.parameters["base_bias"]
        ruled_out = torch.cat([bias.new_full((1,), NEVER), bias[1:]])
        return replace(head, parameters={**head.parameters, "base_bias": ruled_out})
