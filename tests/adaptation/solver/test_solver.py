import pytest
import torch

from terrashot.adaptation.solver.sgd import Sgd
from terrashot.errors import ConfigError


class Valley:
    """A quadratic with unlike curvatures, which remembers when it was told to refresh."""

    def __init__(self):
        self.finished = []

    def gradient(self, vectors, iteration):
        curvature = torch.arange(1.0, 4.0, dtype=vectors.dtype)
        value = (curvature * (vectors - 1) ** 2).sum(dim=1) / 2
        return curvature * (vectors - 1), {"valley": value}

    def after_iteration(self, vectors, finished):
        self.finished.append(finished)


def test_steps_equal_those_of_torch():
    start = torch.tensor([[3.0, -2.0, 0.5], [1.0, 2.0, 3.0]], dtype=torch.float64)
    solver = Sgd(lr=0.05, iterations=20, momentum=0.9, weight_decay=0.01)
    objective = Valley()
    found, _ = solver.descend(start, objective)
    x = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.SGD([x], lr=0.05, momentum=0.9, weight_decay=0.01)
    for _ in range(20):
        x.grad = objective.gradient(x.detach(), 0)[0]
        optimizer.step()
    assert torch.allclose(found, x.detach(), atol=1e-14)
    assert objective.finished == list(range(1, 21))
    assert start[0].tolist() == [3.0, -2.0, 0.5]


def test_decay_to_the_snapshot_leaves_the_start_alone():
    class Flat(Valley):
        def gradient(self, vectors, iteration):
            return torch.zeros(1, 3), {"flat": torch.zeros(1)}

    start = torch.ones(1, 3)
    kept, _ = Sgd(0.1, 50, weight_decay=0.1, decay_to="snapshot").descend(start, Flat())
    shrunk, _ = Sgd(0.1, 50, weight_decay=0.1, decay_to="zero").descend(start, Flat())
    assert torch.equal(kept, start)
    assert shrunk.max() < 0.7


def test_history_holds_plain_numbers_of_each_query_and_ends_with_the_last_step():
    start = torch.tensor([[0.0] * 3, [1.0] * 3])
    _, histories = Sgd(0.05, 8).descend(start, Valley(), history_every=3)
    first, second = histories
    assert [row["iteration"] for row in first] == [0, 3, 6, 7]
    assert all(type(row["total"]) is float for row in first)
    assert first[-1]["total"] < first[0]["total"]
    assert second[0]["total"] == 0.0
    assert Sgd(0.05, 8).descend(start, Valley(), history_every=0)[1] == [[], []]


@pytest.mark.parametrize(
    "bad", [{"lr": 0.0}, {"lr": float("nan")}, {"iterations": -1}, {"decay_to": "origin"}]
)
def test_impossible_settings_are_errors(bad):
    with pytest.raises(ConfigError, match="solver"):
        Sgd(**{"lr": 0.1, "iterations": 5, **bad})
