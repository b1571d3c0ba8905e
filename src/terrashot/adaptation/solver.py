"""Gradient descent on the stage-2 objective."""

import torch

from terrashot.adaptation.objective import Objective
from terrashot.adaptation.pixel_logits import Parameters
from terrashot.errors import ConfigError


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
        if not lr > 0 or iterations < 0:
            raise ConfigError(
                f"solver.lr is {lr} and solver.iterations {iterations}, but the step size must be "
                "above 0 and the number of iterations 0 or more."
            )
        self.lr = lr
        self.iterations = iterations
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.decay_to = decay_to

    @torch.no_grad()
    def solve(
        self, start: Parameters, objective: Objective, history_every: int = 10
    ) -> tuple[Parameters, list[dict[str, float]]]:
        """Descend from ``start``, which stays as it is.

        Returns:
            The parameters after the last iteration, and the loss terms before every
            ``history_every``-th step and the last (0: none).
        """
        parameters = {name: value.clone() for name, value in start.items()}
        steps: Parameters = {}
        history = []
        for iteration in range(self.iterations):
            gradients, terms = objective.gradient(parameters, iteration)
            last = iteration == self.iterations - 1
            if history_every and (iteration % history_every == 0 or last):
                row = {name: float(term) for name, term in terms.items()}
                history.append({"iteration": iteration, **row, "total": sum(row.values())})
            for name, value in parameters.items():
                step = gradients[name]
                if self.weight_decay:
                    pull = value - start[name] if self.decay_to == "snapshot" else value
                    step = step + self.weight_decay * pull
                if name in steps:
                    step = self.momentum * steps[name] + step
                steps[name] = step
                value -= self.lr * step
            objective.after_iteration(parameters, iteration + 1)
        return parameters, history
