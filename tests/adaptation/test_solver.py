import pytest
import torch

from terrashot.adaptation.solver import Sgd
from terrashot.errors import ConfigError


class Valley:
    """A quadratic with unlike curvatures, which remembers when it was told to refresh."""

    pi = None

    def __init__(self):
        self.finished = []

    def gradient(self, parameters, iteration):
        x = parameters["x"]
        curvature = torch.arange(1.0, 4.0, dtype=x.dtype)
        return {"x": curvature * (x - 1)}, {"valley": (curvature * (x - 1) ** 2).sum() / 2}

    def after_iteration(self, parameters, finished):
        self.finished.append(finished)


def test_steps_equal_those_of_torch():
    start = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)
    solver = Sgd(lr=0.05, iterations=20, momentum=0.9, weight_decay=0.01)
    objective = Valley()
    found, _ = solver.solve({"x": start}, objective)
    x = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.SGD([x], lr=0.05, momentum=0.9, weight_decay=0.01)
    for _ in range(20):
        x.grad = objective.gradient({"x": x.detach()}, 0)[0]["x"]
        optimizer.step()
    assert torch.allclose(found["x"], x.detach(), atol=1e-14)
    assert objective.finished == list(range(1, 21))
    assert torch.equal(start, torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64))


def test_decay_to_the_snapshot_leaves_the_start_alone():
    class Flat(Valley):
        def gradient(self, parameters, iteration):
            return {"x": torch.zeros(3)}, {"flat": torch.zeros(())}

    start = {"x": torch.ones(3)}
    kept, _ = Sgd(0.1, 50, weight_decay=0.1, decay_to="snapshot").solve(start, Flat())
    shrunk, _ = Sgd(0.1, 50, weight_decay=0.1, decay_to="zero").solve(start, Flat())
    assert torch.equal(kept["x"], start["x"])
    assert shrunk["x"].max() < 0.7


def test_history_holds_plain_numbers_and_ends_with_the_last_step():
    _, history = Sgd(0.05, 8).solve({"x": torch.zeros(3)}, Valley(), history_every=3)
    assert [row["iteration"] for row in history] == [0, 3, 6, 7]
    assert all(type(row["total"]) is float for row in history)
    assert history[-1]["total"] < history[0]["total"]
    assert Sgd(0.05, 8).solve({"x": torch.zeros(3)}, Valley(), history_every=0)[1] == []


@pytest.mark.parametrize(
    "bad", [{"lr": 0.0}, {"lr": float("nan")}, {"iterations": -1}, {"decay_to": "origin"}]
)
def test_impossible_settings_are_errors(bad):
    with pytest.raises(ConfigError, match="solver"):
        Sgd(**{"lr": 0.1, "iterations": 5, **bad})
