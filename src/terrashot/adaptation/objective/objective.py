"""The interface between what stage 2 minimises and the solver that minimises it."""

from typing import Protocol

from torch import Tensor

Terms = dict[str, Tensor]
"""Weighted loss terms ``[Q]`` by name; their sum is the loss."""


class Objective(Protocol):
    """Loss and gradient of the adaptation of Q queries, each with its own parameters."""

    def gradient(self, vectors: Tensor, iteration: int) -> tuple[Tensor, Terms]:
        """Gradient ``[Q, D]`` and loss terms at an iteration counted from 0.

        Args:
            vectors: Parameters ``[Q, D]``, see ``ParameterLayout``.
            iteration: Counted from 0.
        """
        ...

    def after_iteration(self, vectors: Tensor, finished: int) -> None:
        """Be told that so many iterations are done: time to refresh what is held fixed."""
        ...


class QueryObjective(Objective, Protocol):
    """An objective that holds class shares of its queries fixed."""

    @property
    def pi(self) -> list[Tensor | None]:
        """Of each parameter vector, the class shares ``[K]`` that the KL term pulls to."""
        ...

    def begin(self, vectors: Tensor) -> None:
        """Take the first class shares, at the start ``[Q, D]``."""
        ...
