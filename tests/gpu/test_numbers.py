"""The same numbers on a card: golden figures, and the engine against its oracle."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.adaptation.objective.test_engine import (
    QUERY_LOSSES,
    engine,
    fitted,
    largest,
    moved,
    oracle,
)
from tests.adaptation.test_golden import adapted
from tests.fixtures.scene import make_scene

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition

pytestmark = pytest.mark.gpu


def scene_on(device, dtype):
    """The synthetic problem on a device."""
    scene = make_scene(dtype=dtype)
    snapshot = LinearHead(scene.snapshot.weight.to(device), scene.snapshot.bias.to(device))
    return replace(
        scene,
        snapshot=snapshot,
        features=[feature.to(device) for feature in scene.features],
        labels=[label.to(device) for label in scene.labels],
        query=scene.query.to(device),
    )


@pytest.mark.parametrize("case", ["full", "padded"])
def test_golden_classtrans(repository, device, case):
    stored, head, query = adapted(repository / "tests/golden", case, torch.float32, 130, device)
    logits = head.logits(query).cpu().numpy()
    assert np.abs(logits - stored["logits_130"]).max() < 1e-4
    assert (logits.argmax(0) == stored["logits_130"].argmax(0)).all()


@pytest.mark.parametrize("transition", [RankOneTransition(), FullTransition(rank=2)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_gradients_are_those_of_the_oracle(device, transition, dtype, tolerance):
    scene = scene_on(device, dtype)
    method = fitted(scene, transition=transition, transduction=QUERY_LOSSES)
    parameters = moved(method)
    plain = oracle(method, scene)
    plain.refresh(parameters)
    expected, _ = plain.gradient(parameters, 5)
    objective, layout = engine(method, [scene.query]), method._layout
    vector = layout.pack(parameters, scene.query).unsqueeze(0)
    objective.begin(vector)
    objective.after_iteration(vector, 10)
    found, _ = objective.gradient(vector, 5)
    for key, value in layout.unpack(found[0]).items():
        assert largest(value - expected[key]) / (1 + largest(expected[key])) < tolerance, key


def test_half_precision_storage_maps_almost_all_pixels_alike(device):
    scene = scene_on(device, torch.float32)

    def classes(storage):
        support = SupportPixels(scene.features, scene.labels, 3, 2, storage=storage)
        return fitted(scene, support).adapt(scene.query).logits(scene.query).argmax(dim=0)

    agrees = classes(torch.float32) == classes(torch.bfloat16)
    assert agrees.float().mean() >= 0.99
