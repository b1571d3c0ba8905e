"""L-BFGS on the stage-2 objective: to the bottom in some tens of passes."""

import torch
from torch import Tensor

from terrashot.adaptation.engine import ClosedFormObjective
from terrashot.adaptation.problem import AdaptationProblem, QueryPixels
from terrashot.adaptation.solver import History
from terrashot.errors import ConfigError


class Lbfgs:
    """Minimises the objective with torch's L-BFGS and a line search.

    Made for convex objectives: a classifier without transition on the support alone. What gradient
    descent holds fixed between refreshes (pi, pseudo-labels) stays as it was at the start.

    Args:
        iterations: Most iterations; each takes one or a few passes over the pixels.
        tolerance: It stops where no gradient is larger.
        penalty: Weight of the squared distance of all weights (biases are free) from the start.
    """

    lr = 1.0
    """Of the first step; the line search finds the others."""

    def __init__(
        self, iterations: int = 100, tolerance: float = 1e-6, penalty: float = 0.05
    ) -> None:
        if iterations < 0 or not tolerance >= 0 or not penalty >= 0:
            raise ConfigError(
                f"solver.iterations is {iterations}, solver.tolerance {tolerance} and "
                f"solver.penalty {penalty}, but none of them can be negative."
            )
        self.iterations = iterations
        self.tolerance = tolerance
        self.penalty = penalty

    def prepare(self, problem: AdaptationProblem, start: Tensor) -> None:
        """Nothing to take in."""

    def solve(
        self,
        problem: AdaptationProblem,
        start: Tensor,
        queries: list[QueryPixels],
        history_every: int = 10,
    ) -> tuple[Tensor, list[History], list[Tensor | None]]:
        """See ``Sgd.solve``; queries come one after the other, loss terms are kept at the end."""
        vectors, histories, pi = [], [], []
        for index in range(len(start)):
            own = [queries[index]] if queries else []
            objective = problem.objective(own)
            objective.begin(start[index : index + 1])
            vector, history = self._minimise(problem, start[index : index + 1], objective)
            vectors.append(vector)
            histories.append(history if history_every else [])
            pi.extend(objective.pi)
        return torch.cat(vectors), histories, pi

    def _minimise(
        self, problem: AdaptationProblem, start: Tensor, objective: ClosedFormObjective
    ) -> tuple[Tensor, History]:
        layout = problem.layout
        vector = start.clone()
        vector.grad = torch.zeros_like(vector)
        optimizer = torch.optim.LBFGS(
            [vector],
            lr=self.lr,
            max_iter=self.iterations,
            tolerance_grad=self.tolerance,
            tolerance_change=0.0,
            history_size=20,
            line_search_fn="strong_wolfe",
        )
        row: dict[str, float] = {}

        def closure() -> Tensor:
            with torch.no_grad():
                gradient, terms = objective.gradient(vector.detach(), 0)
                moved = layout.weights(vector) - layout.weights(start)
                penalty = self.penalty * moved.square().sum()
                layout.weights(gradient).add_(moved, alpha=2 * self.penalty)
                assert vector.grad is not None
                vector.grad.copy_(gradient)
                row.update({name: float(term[0]) for name, term in terms.items()})
                row["penalty"] = float(penalty)
                return torch.stack([term[0] for term in terms.values()]).sum() + penalty

        if self.iterations:
            optimizer.step(closure)
        return vector.detach(), [{"iteration": self.iterations, **row, "total": sum(row.values())}]
