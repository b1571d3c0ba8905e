import warnings

import pytest
import torch
from tests.fixtures.heads import classifier, plain_map, started

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.gradient import GradientMethod
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.anchored import AnchoredSgd
from terrashot.adaptation.solver.lbfgs import Lbfgs
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.errors import ConfigError, DataError, TerrashotError
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam import LDAM
from terrashot.similarity.transport import Transport

QUERY_LOSSES = {"entropy": 3.0, "kl": 16.0, "distillation": 7.0, "refresh_after": [10, 20]}


def make_method(lr=9e-5, iterations=40, transduction=None, loss=None, transition=True, **options):
    return GradientMethod(
        solver=Sgd(lr, iterations, 0.9, 5e-4, "snapshot"),
        loss=loss or CrossEntropy(),
        similarity=Transport(),
        transition=RankOneTransition() if transition else None,
        transduction=Transduction(**{**QUERY_LOSSES, **(transduction or {})}),
        **{"support_weight": 650.0, "reference_norm": 5.0, **options},
    )


def fitted(scene, support=None, **options):
    found = make_method(**options)
    found.fit_support(scene.snapshot, support or scene.support, seed=1)
    return found


def logits(scene, **options):
    return fitted(scene, **options).adapt(scene.query).logits(scene.query)


def largest(difference):
    return float(difference.abs().max())


def test_novel_classes_are_learnt(scene):
    method = fitted(scene, iterations=130)
    head = method.adapt(scene.query)
    classes, _ = plain_map(head, scene.query, scene.truth.shape, stride=1)
    before = scene.snapshot.logits(scene.query).argmax(dim=0)
    novel = scene.truth >= 3
    assert (classes == scene.truth)[novel].float().mean() > 0.9
    base = (before == scene.truth)[~novel].float().mean()
    assert (classes == scene.truth)[~novel].float().mean() > base - 0.05
    assert head.history[-1]["support"] < head.history[0]["support"]


@pytest.mark.parametrize("factor", [0.01, 100.0])
@pytest.mark.parametrize("loss", [CrossEntropy(), LDAM(start_iteration=20, base_count_scale=0)])
@pytest.mark.parametrize("start", ["similarity", "prototype"])
def test_longer_or_shorter_features_give_the_same_map(scene, factor, loss, start):
    plain = logits(scene, loss=loss, start=start)
    scaled = logits(scene.scaled(factor), loss=loss, start=start)
    assert largest(plain - scaled) < 1e-8


def test_without_a_reference_norm_the_scale_matters(scene):
    plain = logits(scene, reference_norm=None)
    assert largest(plain - logits(scene.scaled(0.1), reference_norm=None)) > 1e-2


def test_the_order_of_the_support_tiles_does_not_matter(scene):
    order = [2, 0, 3, 1]
    turned = SupportPixels(
        [scene.features[i] for i in order], [scene.labels[i] for i in order], 3, 2
    )
    assert largest(logits(scene) - logits(scene, support=turned)) < 1e-9


def test_a_shared_start_makes_queries_independent_of_order_and_seed(scene):
    method = fitted(scene)
    first = method.adapt(scene.query, seed=5).logits(scene.query)
    method.adapt(scene.features[0], seed=6)
    torch.manual_seed(99)
    assert torch.equal(first, method.adapt(scene.query, seed=7).logits(scene.query))


def test_a_start_for_each_query_follows_its_seed_alone(scene):
    method = fitted(scene, start_seed="query", lr=1e-3)
    first = method.adapt(scene.query, seed=5).logits(scene.query)
    other = method.adapt(scene.query, seed=6).logits(scene.query)
    assert not torch.equal(first, other)
    assert torch.equal(first, method.adapt(scene.query, seed=5).logits(scene.query))


def test_adapting_one_query_leaves_no_trace_on_the_next(scene):
    method = fitted(scene)
    before = {k: v.clone() for k, v in method.start_parameters().items()}
    method.adapt(scene.query)
    assert all(torch.equal(before[k], v) for k, v in method.start_parameters().items())


def test_the_query_mask_decides_which_query_pixels_count(scene):
    valid = torch.ones(10, 10, dtype=torch.bool)
    valid[:4] = False
    method = fitted(scene)
    broken = scene.query.clone()
    broken[:, :4] = 7.0
    masked = classifier(method.adapt(scene.query, valid)).weight
    assert torch.allclose(masked, classifier(method.adapt(broken, valid)).weight)
    assert not torch.allclose(masked, classifier(method.adapt(broken)).weight)


def test_a_mask_at_image_size_is_brought_to_the_features(scene):
    valid = torch.ones(40, 40, dtype=torch.bool)
    valid[:16] = False
    small = torch.ones(10, 10, dtype=torch.bool)
    small[:4] = False
    method = fitted(scene)
    large = classifier(method.adapt(scene.query, valid)).weight
    assert torch.equal(large, classifier(method.adapt(scene.query, small)).weight)


def test_a_query_without_a_valid_pixel_adapts_to_the_support_alone(scene):
    nothing = torch.zeros(10, 10, dtype=torch.bool)
    masked = classifier(fitted(scene).adapt(scene.query, nothing)).weight
    silent = {"entropy": 0.0, "kl": 0.0, "distillation": 0.0}
    alone = classifier(fitted(scene, transduction=silent).adapt(scene.query)).weight
    assert torch.allclose(masked, alone)


def test_support_validity_as_query_weights_ignores_the_mask(scene):
    scene.labels[0][:5] = 255
    method = fitted(scene, transduction={"query_weights": "support_validity"})
    nothing = torch.zeros(10, 10, dtype=torch.bool)
    one = method.adapt(scene.query, nothing)
    assert torch.equal(classifier(one).weight, classifier(method.adapt(scene.query)).weight)
    weights = scene.support.validity((10, 10)).double()
    start = method.start_parameters()
    pixels = scene.query.flatten(1) * float(method.scale.factor)
    # pi before the loop is the weighted mean of the softmax
    z = torch.cat([start["base_weight"], start["novel_weight"]]) @ pixels
    z = z + torch.cat([start["base_bias"], start["novel_bias"]]).unsqueeze(1)
    expected = (z.softmax(dim=0) * weights.flatten()).sum(dim=1) / weights.sum()
    before = fitted(scene, iterations=0, transduction={"query_weights": "support_validity"})
    assert torch.allclose(before.adapt(scene.query).pi, expected)


@pytest.mark.parametrize(
    ("options", "finished", "refreshed"),
    [
        ({"pi_gate": "kl", "kl": 0.0}, 10, False),
        ({"pi_gate": "kl", "entropy": 0.0}, 10, True),
        ({"pi_gate": "entropy", "entropy": 0.0}, 10, False),
        ({"pi_gate": "entropy", "kl": 0.0}, 20, True),
        ({}, 11, False),
        ({"pi": "uniform"}, 10, False),
    ],
)
def test_pi_is_refreshed_when_its_gate_is_open(scene, options, finished, refreshed):
    options = {"refresh_after": [10, 20], **options}
    before = fitted(scene, iterations=0, transduction=options).adapt(scene.query).pi
    if options.get("pi") == "uniform":
        assert torch.allclose(before, torch.full((5,), 0.2).double())
    after = fitted(scene, iterations=finished, transduction=options).adapt(scene.query).pi
    almost = fitted(scene, iterations=finished - 1, transduction=options).adapt(scene.query).pi
    assert (largest(after - almost) > 0) is refreshed


def test_query_losses_can_see_the_transition(scene):
    start = {"layer_scale": torch.ones(5)}
    seen = {
        name: started(fitted(scene, transduction={"query_logits": name}), start)
        .adapt(scene.query)
        .history[0]
        for name in ("classification", "full")
    }
    assert seen["classification"]["support"] == pytest.approx(seen["full"]["support"])
    assert seen["classification"]["entropy"] != pytest.approx(seen["full"]["entropy"], rel=1e-6)


def test_base_labels_in_the_support_can_supervise(scene):
    scene.labels[0][scene.labels[0] == 0] = 1
    assert largest(logits(scene) - logits(scene, base_labels="constant")) > 1e-3


def test_one_shot_uses_its_own_background_weight(scene):
    scene.features, scene.labels = scene.features[1:3], scene.labels[1:3]
    usual = logits(scene, background_weight_one_shot=0.15)
    assert largest(usual - logits(scene, background_weight_one_shot=0.01)) > 1e-3


def test_starts_of_the_novel_head(scene):
    method = fitted(scene, start_mass="per_novel")
    one = fitted(scene).start_parameters()["novel_weight"]
    assert torch.allclose(method.start_parameters()["novel_weight"], one / 2)
    prototype = fitted(scene, start="prototype").start_parameters()["novel_weight"]
    assert torch.allclose(prototype.norm(dim=1), torch.ones(2).double())
    block = torch.cat(list(scene.support.of_class(4)), dim=1).mean(dim=1)
    assert torch.allclose(prototype[1], block / block.norm())
    assert fitted(scene, start="zeros").start_parameters()["novel_weight"].abs().max() == 0


def test_single_precision_agrees_with_double(scene):
    double = logits(scene)
    scene.features = [feature.float() for feature in scene.features]
    single = fitted(scene).adapt(scene.query.float()).logits(scene.query.float())
    assert single.dtype == torch.float32
    assert largest(single - double) < 1e-3


def test_divergence_warns_or_raises(scene):
    wild = {"lr": 1e300, "iterations": 5}
    with pytest.raises(TerrashotError, match=r"diverged.*not finite"):
        fitted(scene, **wild).adapt(scene.query)
    with pytest.warns(UserWarning, match="diverged"):
        head = fitted(scene, on_divergence="warn", **wild).adapt(scene.query)
    assert head.diverged


def test_transition_logits_beyond_the_limit_are_reported(scene):
    start = {"layer_scale": torch.full((5,), 1e6)}
    with pytest.warns(UserWarning, match="transition logits of"):
        head = started(fitted(scene, iterations=0), start).adapt(scene.query)
    assert head.diverged
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not fitted(scene).adapt(scene.query).diverged


def test_bad_queries_and_heads_are_errors(scene):
    method = fitted(scene)
    with pytest.raises(DataError, match="12 channels"):
        method.adapt(scene.query[:5])
    broken = scene.query.clone()
    broken[0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="query: the features hold NaN"):
        method.adapt(broken)
    foreign = LinearHead(torch.zeros(4, 12), torch.zeros(4))
    with pytest.raises(DataError, match="one stage-1 checkpoint"):
        make_method().fit_support(foreign, scene.support)
    dead = SupportPixels([torch.zeros(12, 10, 10)] * 4, scene.labels, 3, 2)
    with pytest.raises(DataError, match="features are all 0"):
        make_method().fit_support(scene.snapshot, dead)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "random"}, "method.start"),
        ({"strat": "zeros"}, "method.strat is no setting"),
        ({"reference_norm": -1.0}, "reference_norm"),
        ({"reference_norm": "five"}, "reference_norm"),
        ({"background_weight": -1.0}, "method.background_weight is -1.0"),
        ({"support_weight": float("nan")}, "support_weight"),
        ({"class_balance": None}, "class_balance is None"),
        ({"background_distillation": 1.5}, "at most 1"),
        ({"novel_in_background": -0.1}, "at least 0 and at most 1"),
        ({"transduction": {"pi": "others"}}, "transduction.pi"),
        ({"transduction": {"kl": -1.0}}, "transduction.kl"),
    ],
)
def test_impossible_settings_are_errors(options, message):
    with pytest.raises(ConfigError, match=message):
        make_method(**options)


def test_parts_that_exclude_each_other_are_errors(scene):
    fast = AnchoredSgd(lr=0.1, iterations=5)
    with pytest.raises(ConfigError, match="start_seed=shared"):
        GradientMethod(solver=fast, loss=CrossEntropy(), start="zeros", start_seed="query")
    own = Transduction(self_training=1.0, refresh_after=[10])
    bottom = GradientMethod(solver=Lbfgs(), loss=CrossEntropy(), start="zeros", transduction=own)
    with pytest.raises(ConfigError, match="self_training"):
        bottom.fit_support(scene.snapshot, scene.support)


def test_a_stage_1_head_that_is_not_finite_is_an_error(scene):
    head = LinearHead(scene.snapshot.weight * float("nan"), scene.snapshot.bias)
    with pytest.raises(DataError, match="stage-1 head holds NaN"):
        make_method().fit_support(head, scene.support)


def test_missing_parts_are_errors():
    with pytest.raises(ConfigError, match="solver is null"):
        GradientMethod(loss=CrossEntropy(), similarity=Transport())
    with pytest.raises(ConfigError, match="similarity=transport"):
        GradientMethod(loss=CrossEntropy(), solver=Sgd(0.1, 1))
