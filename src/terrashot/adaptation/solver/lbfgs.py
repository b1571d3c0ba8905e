"""L-BFGS on the stage-2 objective: to the bottom in some tens of passes."""

import torch
from torch import Tensor

from terrashot.adaptation.objective.engine import AnalyticObjective
from terrashot.adaptation.objective.objective import Terms
from terrashot.adaptation.objective.problem import AdaptationProblem, QueryPixels
from terrashot.adaptation.solver.sgd import History
from terrashot.errors import ConfigError
from terrashot.ranges import check_range


class Lbfgs:
    """Minimises the objective with torch's L-BFGS and a line search.

    Made for convex objectives: a classifier without transition on the support alone. What gradient
    descent holds fixed between refreshes (pi) stays as it was at the start, and margins act from
    the start, since there is no iteration to count to.

    Args:
        iterations: Most iterations; each takes one or a few passes over the pixels.
        tolerance: It stops where no gradient is larger.
        penalty: Weight of the squared distance of all weights (biases are free) from the start.
    """

    remedy = "A larger solver.penalty"
    """What to do about an outcome that is out of range, as the begin of a sentence."""

    def __init__(
        self, iterations: int = 100, tolerance: float = 1e-6, penalty: float = 0.05
    ) -> None:
        check_range("solver.iterations", iterations, whole=True, at_least=0)
        check_range("solver.tolerance", tolerance, at_least=0)
        check_range("solver.penalty", penalty, at_least=0)
        self.iterations = iterations
        self.tolerance = tolerance
        self.penalty = penalty

    def prepare(self, problem: AdaptationProblem, start: Tensor) -> None:
        """Refuse what needs a descent to change on its way.

        Raises:
            ConfigError: self-training.
        """
        if problem.transduction.self_training:
            raise ConfigError(
                "solver=lbfgs takes no labels from the query on its way, which "
                "transduction=self_training asks for. Use a solver that descends, such as "
                "solver=classtrans, or another transduction."
            )

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
        self, problem: AdaptationProblem, start: Tensor, objective: AnalyticObjective
    ) -> tuple[Tensor, History]:
        layout = problem.layout
        vector = start.clone()
        vector.grad = torch.zeros_like(vector)
        optimizer = torch.optim.LBFGS(
            [vector],
            max_iter=self.iterations,
            tolerance_grad=self.tolerance,
            tolerance_change=0.0,
            history_size=20,
            line_search_fn="strong_wolfe",
        )
        row: Terms = {}

        def closure() -> Tensor:
            with torch.no_grad():
                gradient, terms = objective.gradient(vector.detach(), problem.loss.margins_from)
                moved = layout.weights(vector) - layout.weights(start)
                penalty = self.penalty * moved.square().sum()
                layout.weights(gradient).add_(moved, alpha=2 * self.penalty)
                assert vector.grad is not None
                vector.grad.copy_(gradient)
                row.update({name: term[0] for name, term in terms.items()}, penalty=penalty)
                return torch.stack(list(row.values())).sum()

        if self.iterations:
            optimizer.step(closure)
        last = {name: float(term) for name, term in row.items()}
        return vector.detach(), [
            {"iteration": self.iterations, **last, "total": sum(last.values())}
        ]
