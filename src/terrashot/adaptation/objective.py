"""The interface between what stage 2 minimises and the solver that minimises it."""

from typing import Protocol

from torch import Tensor

from terrashot.adaptation.pixel_logits import Parameters

Terms = dict[str, Tensor]
"""Weighted loss terms by name, detached scalars; their sum is the loss."""


class Objective(Protocol):
    """Loss and gradient of one query's adaptation."""

    pi: Tensor | None

    def gradient(self, parameters: Parameters, iteration: int) -> tuple[Parameters, Terms]:
        """Gradient by parameter name, and the loss terms, at an iteration counted from 0."""
        ...

    def after_iteration(self, parameters: Parameters, finished: int) -> None:
        """Be told that so many iterations are done: time to refresh what is held fixed."""
        ...
