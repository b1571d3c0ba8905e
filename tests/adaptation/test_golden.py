"""The published methods, number for number."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.fixtures.heads import started

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.gradient import GradientMethod
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam_paper import PaperLDAM
from terrashot.similarity.transport import Transport

SETTINGS = Path(__file__).resolve().parents[2] / "configs"
STEPS = [1, 2, 50, 101, 130]
MAPS = ["row_weight", "row_bias", "col_weight", "col_bias", "layer_scale"]


def settings(name):
    values = yaml.safe_load((SETTINGS / f"{name}.yaml").read_text())
    values = values.get("method", values)
    values.pop("_target_")
    return values


class StoredMargins(PaperLDAM):
    """The margins as the published code rounds them (float32)."""

    def __init__(self, stored):
        super().__init__(**settings("loss/ldam_paper"))
        self.stored = torch.from_numpy(stored)

    def support_margins(self, base_counts, support_counts, num_base):
        folded = torch.zeros(num_base)
        folded[0] = self.stored[0]
        return self.stored.to(support_counts.device), folded.to(support_counts.device)


def load(folder, case, dtype, device="cpu"):
    stored = np.load(folder / f"classtrans_{case}.npz")

    def tensor(name):
        return torch.from_numpy(stored[name]).to(device, dtype)

    support = SupportPixels(
        tensor("features_support").flatten(0, 1),
        torch.from_numpy(stored["labels_support"]).to(device).flatten(0, 1),
        num_base=8,
        num_novel=4,
    )
    snapshot = LinearHead(tensor("base_weight").T, tensor("base_bias"))
    return stored, support, snapshot, tensor("features_query")


def classtrans(stored, iterations):
    solver = {**settings("solver/classtrans_paper"), "iterations": iterations}
    return GradientMethod(
        solver=Sgd(**solver),
        loss=StoredMargins(stored["ldam_margins"]),
        similarity=Transport(**settings("similarity/transport_paper")),
        transition=RankOneTransition(),
        transduction=Transduction(**settings("transduction/classtrans_paper")),
        **settings("method/classtrans_paper"),
    )


def adapted(folder, case, dtype, iterations, device="cpu"):
    stored, support, snapshot, query = load(folder, case, dtype, device)
    method = classtrans(stored, iterations)
    method.fit_support(snapshot, support)
    # The random start is given, since generators differ; all else follows from the inputs.
    start = {
        "row_weight": torch.from_numpy(stored["init_row_weight"].T).to(device),
        "col_weight": torch.from_numpy(stored["init_col_weight"].T).to(device),
    }
    return stored, started(method, start).adapt(query), query


@pytest.fixture
def golden(repository):
    return repository / "tests/golden"


@pytest.mark.parametrize("case", ["full", "padded"])
def test_golden_transport_plan_and_start(golden, case):
    stored, support, snapshot, _ = load(golden, case, torch.float64)
    method = classtrans(stored, 1)
    method.fit_support(snapshot, support)
    plan = method.similarity.numpy().T / 4
    assert np.abs(plan - stored["transport_plan"]).max() < 1e-12
    novel = method.start_parameters()["novel_weight"].numpy().T
    assert np.abs(novel - stored["init_novel_weight"]).max() < 1e-12


@pytest.mark.parametrize("case", ["full", "padded"])
@pytest.mark.parametrize("step", STEPS)
def test_golden_classtrans_in_double_precision(golden, case, step):
    stored, head, query = adapted(golden, case, torch.float64, step)
    names = ["base_weight", "base_bias", "novel_weight", "novel_bias", *MAPS]
    for name in names:
        found = head.parameters[name].numpy().T
        assert np.abs(found - stored[f"{name}_{step:03d}"]).max() < 1e-10, name
    assert np.abs(head.pi.numpy() - stored[f"pi_{step:03d}"]).max() < 1e-10
    assert np.abs(head.logits(query).numpy() - stored[f"logits_{step:03d}"]).max() < 1e-10


@pytest.mark.parametrize("case", ["full", "padded"])
@pytest.mark.parametrize("step", [101, 130])
def test_golden_classtrans_in_single_precision(golden, case, step):
    stored, head, query = adapted(golden, case, torch.float32, step)
    logits = head.logits(query).numpy()
    assert logits.dtype == np.float32
    assert np.abs(logits - stored[f"logits_{step:03d}"]).max() < 1e-4
    assert (logits.argmax(0) == stored[f"logits_{step:03d}"].argmax(0)).all()


@pytest.mark.parametrize("case", ["full", "padded"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_golden_diam(golden, case, dtype, tolerance):
    _, support, snapshot, query = load(golden, case, dtype)
    stored = np.load(golden / f"diam_{case}.npz")
    options = {**settings("method/diam"), "reference_norm": None}
    method = GradientMethod(
        solver=Sgd(**settings("solver/diam")),
        loss=CrossEntropy(),
        transduction=Transduction(**settings("transduction/diam")),
        **options,
    )
    method.fit_support(snapshot, support)
    start = method.start_parameters()["novel_weight"].numpy().T
    assert np.abs(start - stored["init_novel_weight"]).max() < tolerance
    head = method.adapt(query)
    for name in ("novel_weight", "base_weight"):
        assert np.abs(head.parameters[name].numpy().T - stored[name]).max() < tolerance, name
    logits = head.logits(query).numpy()
    assert np.abs(logits - stored["logits"]).max() < tolerance
    assert (logits.argmax(0) == stored["logits"].argmax(0)).all()
