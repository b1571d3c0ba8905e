"""Gradient descent on the stage-2 objective."""

import torch
from torch import Tensor

from terrashot.adaptation.objective.objective import Objective, QueryObjective
from terrashot.adaptation.objective.problem import AdaptationProblem, QueryPixels
from terrashot.errors import ConfigError
from terrashot.ranges import check_range

History = list[dict[str, float]]
"""Loss terms of one query before some of the iterations, plain numbers."""


class Sgd:
    """Stochastic gradient descent as in torch: momentum and weight decay on every parameter.

    Args:
        lr: Step size.
        iterations: Number of steps.
        momentum: Share of the last step that is kept.
        weight_decay: Pull towards ``decay_to``.
        decay_to: ``zero``, or ``snapshot``: where the parameters began.
    """

    def __init__(
        self,
        lr: float,
        iterations: int,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        decay_to: str = "zero",
    ) -> None:
        if decay_to not in ("zero", "snapshot"):
            raise ConfigError(f"solver.decay_to is '{decay_to}', but it is zero or snapshot.")
        check_range("solver.lr", lr, above=0, why="the size of a step")
        check_range("solver.iterations", iterations, whole=True, at_least=0)
        check_range("solver.momentum", momentum, at_least=0, below=1)
        check_range("solver.weight_decay", weight_decay, at_least=0)
        self.lr = lr
        self.iterations = iterations
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.decay_to = decay_to

    @property
    def remedy(self) -> str:
        """What to do about a descent that diverges, as the begin of a sentence."""
        return f"A smaller step (solver.lr, now {self.lr:g})"

    def prepare(self, problem: AdaptationProblem, start: Tensor) -> None:
        """Take in what all queries share; exact descent needs nothing.

        Args:
            problem: The support.
            start: Parameters ``[D]`` that every query starts from.
        """

    def solve(
        self,
        problem: AdaptationProblem,
        start: Tensor,
        queries: list[QueryPixels],
        history_every: int = 10,
    ) -> tuple[Tensor, list[History], list[Tensor | None]]:
        """Adapt to some queries at once, each with its own parameters.

        Args:
            problem: The support.
            start: Parameters ``[Q, D]``; they stay as they are.
            queries: One for each, or none for the support alone (Q = 1).
            history_every: Loss terms are kept before every so many steps and the last (0: none).

        Returns:
            The parameters after the last iteration ``[Q, D]``, and of each query the loss terms
            and the pi that the KL term pulls to, where there is one.
        """
        objective = self.objective(problem, queries)
        objective.begin(start)
        vectors, history = self.descend(start, objective, history_every)
        return vectors, history, objective.pi

    def objective(self, problem: AdaptationProblem, queries: list[QueryPixels]) -> QueryObjective:
        """What is descended on for some queries: the exact objective."""
        return problem.objective(queries)

    @torch.no_grad()
    def descend(
        self, start: Tensor, objective: Objective, history_every: int = 10
    ) -> tuple[Tensor, list[History]]:
        """The iterations themselves, on any objective."""
        vectors = start.clone()
        step: Tensor | None = None
        history: list[History] = [[] for _ in range(len(start))]
        for iteration in range(self.iterations):
            gradient, terms = objective.gradient(vectors, iteration)
            last = iteration == self.iterations - 1
            if history_every and (iteration % history_every == 0 or last):
                for query, rows in enumerate(history):
                    row = {name: float(term[query]) for name, term in terms.items()}
                    rows.append({"iteration": iteration, **row, "total": sum(row.values())})
            if self.weight_decay:
                pull = vectors - start if self.decay_to == "snapshot" else vectors
                gradient = gradient.add_(pull, alpha=self.weight_decay)
            step = gradient if step is None else step.mul_(self.momentum).add_(gradient)
            vectors.sub_(step, alpha=self.lr)
            objective.after_iteration(vectors, iteration + 1)
        return vectors, history
