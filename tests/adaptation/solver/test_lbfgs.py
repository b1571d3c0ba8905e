"""L-BFGS on the convex objective of partial labels."""

import pytest
import torch

from terrashot.adaptation.methods.gradient import GradientMethod
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.lbfgs import Lbfgs
from terrashot.errors import ConfigError
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam import LDAM


def fitted(scene, transduction=None, **settings):
    method = GradientMethod(
        solver=Lbfgs(**{"iterations": 300, "tolerance": 1e-9, **settings}),
        loss=CrossEntropy(),
        transduction=transduction,
        start="zeros",
        support_label="partial",
        scaling="standardise",
        background_weight=1.0,
    )
    method.fit_support(scene.snapshot, scene.support)
    return method


def loss_by_hand(scene, weight, bias, penalty=0.05):
    """The objective as the issue writes it, on standardised features."""
    x = torch.cat([f.flatten(1) for f in scene.features], dim=1)
    mean, deviation = x.mean(dim=1), x.std(dim=1, correction=0)
    z = weight @ ((x - mean[:, None]) / deviation[:, None]) + bias[:, None]
    log_p = z.log_softmax(dim=0)
    labels = torch.cat([label.flatten() for label in scene.labels])
    own = torch.tensor([3, 3, 4, 4]).repeat_interleave(100)
    novel = -log_p.gather(0, labels.unsqueeze(0))[0]
    other = -(1 - log_p.exp().gather(0, own.unsqueeze(0))[0]).log()
    start = torch.cat([scene.snapshot.weight * deviation, torch.zeros(2, 12).double()])
    distance = penalty * (weight - start).square().sum()
    return torch.where(labels > 0, novel, other).mean() + distance


def test_it_reaches_the_minimum_of_the_objective_by_hand(scene):
    head = fitted(scene).adapt(scene.query)
    weight = torch.cat([head.parameters["base_weight"], head.parameters["novel_weight"]])
    bias = torch.cat([head.parameters["base_bias"], head.parameters["novel_bias"]])
    weight, bias = weight.requires_grad_(), bias.requires_grad_()
    loss = loss_by_hand(scene, weight, bias)
    assert loss.item() == pytest.approx(head.history[-1]["total"], rel=1e-6)
    gradients = torch.autograd.grad(loss, [weight, bias])
    assert max(float(g.abs().max()) for g in gradients) < 1e-6


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_longer_or_shorter_features_give_the_same_map(scene, factor):
    maps = [fitted(s).adapt(s.query).logits(s.query) for s in (scene, scene.scaled(factor))]
    assert torch.allclose(maps[0], maps[1], atol=1e-5)


def test_a_transductive_objective_is_minimised_for_each_query(scene):
    method = fitted(scene, Transduction(distillation=1.0), iterations=20)
    one, other = method.adapt(scene.query), method.adapt(scene.query * 1.3)
    assert not torch.equal(one.parameters["novel_weight"], other.parameters["novel_weight"])
    assert {"support", "distillation", "penalty"} <= set(one.history[-1])


def test_margins_act_from_the_start(scene):
    def weight(loss):
        method = GradientMethod(
            solver=Lbfgs(),
            loss=loss,
            start="zeros",
            scaling="standardise",
            support_label="partial",
            background_distillation=0.5,
        )
        method.fit_support(scene.snapshot, scene.support)
        return method.adapt(scene.query).parameters["novel_weight"]

    late, soon = (LDAM(start_iteration=i, base_count_scale=0) for i in (101, 0))
    assert torch.equal(weight(late), weight(soon))
    assert not torch.allclose(weight(late), weight(CrossEntropy()), atol=1e-3)


def test_channels_that_do_nothing_stay_harmless(scene):
    scene.features = [torch.cat([f, torch.zeros(1, 10, 10).double()]) for f in scene.features]
    scene.query = torch.cat([scene.query, torch.full((1, 10, 10), 1e-3).double()])
    weight = torch.cat([scene.snapshot.weight, torch.zeros(3, 1).double()], dim=1)
    scene.snapshot = type(scene.snapshot)(weight, scene.snapshot.bias)
    logits = fitted(scene).adapt(scene.query).logits(scene.query)
    assert logits.abs().max() < 100


@pytest.mark.parametrize(
    "bad", [{"iterations": -1}, {"penalty": -0.1}, {"tolerance": float("nan")}]
)
def test_impossible_settings_are_errors(bad):
    with pytest.raises(ConfigError, match="solver"):
        Lbfgs(**bad)
