"""Weights of support pixels in the loss: the engine against the plain objective."""

import pytest
import torch

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.gradient import GradientMethod
from terrashot.adaptation.methods.imprinting import Imprinting
from terrashot.adaptation.methods.label_shift import support_shares
from terrashot.adaptation.objective.plain_oracle import PlainObjective
from terrashot.adaptation.objective.support_loss import make_support_loss
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.anchored import AnchoredSgd
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.errors import ConfigError
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam import LDAM

TILE_CLASSES = [3, 3, 4, 4]


class Given:
    """Weights that a test makes itself, for every label and tile class."""

    def __init__(self, maps):
        self.maps = maps

    def weigh(self, support, seed):
        weights = {}
        for label, tile_class in support.tile_counts:
            if label == 255:
                continue
            parts = [
                self.maps[tile][self.labels[tile] == label]
                for tile, _ in support.tile_counts[label, tile_class]
            ]
            weights[label, tile_class] = torch.cat(parts)
        return support.weighted(weights)


def weighted(scene, solver=None, loss=None, **options):
    scene.labels[0][:2] = 255
    maps = torch.rand(4, 10, 10, generator=torch.Generator().manual_seed(5)).double() * 2
    given = Given(maps)
    given.labels = scene.labels
    method = GradientMethod(
        solver=solver or Sgd(9e-5, 30, 0.9, 5e-4, "snapshot"),
        loss=loss or CrossEntropy(),
        transition=options.pop("transition", None) or NoTransition(),
        transduction=Transduction(),
        support_weighting=given,
        **{"support_weight": 650.0, "start": "prototype", "reference_norm": 5.0, **options},
    )
    method.fit_support(scene.snapshot, scene.support, seed=1)
    return method, maps


@pytest.mark.parametrize("support_label", ["folded", "partial"])
@pytest.mark.parametrize("loss", [CrossEntropy(), LDAM(2.0, scale=1.5, start_iteration=0)])
@pytest.mark.parametrize("transition", [NoTransition(), RankOneTransition()])
def test_gradient_and_loss_with_weights_equal_the_oracle(scene, support_label, loss, transition):
    if isinstance(loss, LDAM):
        loss = LDAM(max_margin=2.0, scale=1.5, start_iteration=0, base_count_scale=0)
    method, maps = weighted(
        scene,
        loss=loss,
        transition=transition,
        support_label=support_label,
        background_distillation=0.3,
        class_balance=0.5,
    )
    start = method.start_parameters()
    generator = torch.Generator().manual_seed(2)
    moved = {k: v + 0.1 * torch.randn(v.shape, generator=generator) for k, v in start.items()}
    factor = float(method.scale.factor)
    plain = PlainObjective(
        torch.stack(scene.features) * factor,
        torch.stack(scene.labels),
        TILE_CLASSES,
        scene.query * factor,
        torch.ones(10, 10).double(),
        LinearHead(method.snapshot.weight / factor, method.snapshot.bias),
        make_support_loss(method.loss, scene.support, method.options),
        650.0,
        method.transition,
        method.transduction,
        pixel_weights=maps,
    )
    expected, terms = plain.gradient(moved, 0)
    vector = method._layout.pack(moved, scene.query).unsqueeze(0)
    objective = method._problem.objective()
    found, own = objective.gradient(vector, 0)
    assert float(own["support"][0]) == pytest.approx(float(terms["support"]), rel=1e-10)
    for name, value in method._layout.unpack(found[0]).items():
        scale = 1 + float(expected[name].abs().max())
        assert float((value - expected[name]).abs().max()) / scale < 1e-9, name
    direction = torch.randn(vector.shape, generator=generator).double()
    ends = [
        float(objective.gradient(vector + s * direction, 0)[1]["support"]) for s in (1e-6, -1e-6)
    ]
    slope = (ends[0] - ends[1]) / 2e-6
    assert slope == pytest.approx(float((found * direction).sum()), rel=1e-5)


def test_weights_of_one_change_no_bit(scene):
    plain = GradientMethod(
        solver=Sgd(9e-5, 10, 0.9, 5e-4, "snapshot"), loss=CrossEntropy(), start="prototype"
    )
    plain.fit_support(scene.snapshot, scene.support)
    ones = Given(torch.ones(4, 10, 10).double())
    ones.labels = scene.labels
    same = GradientMethod(
        solver=Sgd(9e-5, 10, 0.9, 5e-4, "snapshot"),
        loss=CrossEntropy(),
        start="prototype",
        support_weighting=ones,
    )
    same.fit_support(scene.snapshot, scene.support)
    assert all(b.weights is None for b in plain._problem._blocks)
    assert all(b.weights is not None for b in same._problem._blocks)
    one, two = (m.adapt(scene.query).logits(scene.query) for m in (plain, same))
    assert torch.equal(one, two)


def test_pixels_of_weight_0_might_as_well_be_ignored(scene):
    options = {"start": "zeros", "reference_norm": None}
    whole, maps = weighted(scene, **options)
    maps[:] = 1.0
    maps[1][:, :4] = 0.0
    whole.fit_support(scene.snapshot, scene.support, seed=1)
    labels = [label.clone() for label in scene.labels]
    labels[1][:, :4] = 255
    without = GradientMethod(
        solver=Sgd(9e-5, 30, 0.9, 5e-4, "snapshot"),
        loss=CrossEntropy(),
        **{"support_weight": 650.0, **options},
    )
    without.fit_support(scene.snapshot, SupportPixels(scene.features, labels, 3, 2), seed=1)
    vector = whole._layout.pack(whole.start_parameters(), scene.query).unsqueeze(0)
    sums = [
        m._problem.objective().gradient(vector, 0)[0] * m.support.num_labelled
        for m in (whole, without)
    ]
    assert whole.support.num_labelled == without.support.num_labelled + 40
    assert float((sums[0] - sums[1]).abs().max()) < 1e-9 * float(sums[0].abs().max())


def test_the_fast_solver_carries_the_weights(scene, monkeypatch):
    monkeypatch.setattr("terrashot.adaptation.support.subset._FEWEST", 1)
    settings = {"lr": 9e-5, "iterations": 40, "momentum": 0.9, "weight_decay": 5e-4}
    exact, _ = weighted(scene, solver=Sgd(**settings))
    fast, _ = weighted(scene, solver=AnchoredSgd(background=0.5, novel=0.5, **settings))
    blocks = fast._problem.subset(0.5, 0.5, seed=0)
    assert all(b.weights.shape == b.block.scores.shape[1:] for b in blocks)
    one, two = (m.adapt(scene.query).logits(scene.query) for m in (exact, fast))
    assert (one.argmax(dim=0) == two.argmax(dim=0)).float().mean() >= 0.99


def test_class_shares_of_the_support_follow_the_weights(scene):
    method, maps = weighted(scene)
    maps[:] = 1.0
    maps[2:] = 3.0  # the tiles of class 4
    method.fit_support(scene.snapshot, scene.support, seed=1)
    of_class = {}
    for block in method.support.blocks:
        weight = method._loss.rule(block.label, block.tile_class).weight
        trust = 3.0 if block.tile_class == 4 else 1.0
        key = 3 if block.tile_class == 4 else 0
        of_class[key] = of_class.get(key, 0.0) + weight * trust * block.pixels.shape[1]
    blocks = iter(method.support.blocks)

    def logits(pixels):  # certain of class 3 in tiles of class 4, of class 0 elsewhere
        sure = torch.zeros(5, pixels.shape[1]).double()
        sure[3 if next(blocks).tile_class == 4 else 0] = 100.0
        return sure

    shares = support_shares(method.support, method._loss, logits)
    total = sum(of_class.values())
    assert float(shares[3]) == pytest.approx(of_class[3] / total, rel=1e-9)
    assert float(shares[0]) == pytest.approx(of_class[0] / total, rel=1e-9)


def test_a_method_without_a_support_loss_refuses_weights():
    with pytest.raises(ConfigError, match="support_weighting"):
        Imprinting(support_weighting=object())
