"""The engine against the objective as it is written down."""

from itertools import product

import pytest
import torch

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.methods.gradient import GradientMethod
from terrashot.adaptation.objective.plain_oracle import PlainObjective
from terrashot.adaptation.objective.query_pass import QueryPass
from terrashot.adaptation.objective.support_loss import make_support_loss
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.anchored import AnchoredSgd
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.adaptation.transition.shared import SharedTransition
from terrashot.errors import ConfigError
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.ldam import LDAM
from terrashot.similarity.transport import Transport

TRANSITIONS = [NoTransition(), RankOneTransition(), SharedTransition(), FullTransition(rank=2)]
QUERY_LOSSES = {"entropy": 3.0, "kl": 16.0, "distillation": 7.0, "refresh_after": [10, 20]}
SELF_TRAINING = {"self_training": 5.0, "confidence": 0.3}
LDAM_NOW = LDAM(max_margin=2.0, scale=1.5, start_iteration=0, base_count_scale=0)


def name(value):
    return value if isinstance(value, str) else type(value).__name__


def make_method(transition=None, transduction=None, loss=None, solver=None, **options):
    return GradientMethod(
        solver=solver or Sgd(9e-5, 30, 0.9, 5e-4, "snapshot"),
        loss=loss or CrossEntropy(),
        similarity=Transport(),
        transition=transition or RankOneTransition(),
        transduction=Transduction(**(QUERY_LOSSES if transduction is None else transduction)),
        **{"support_weight": 650.0, "reference_norm": 5.0, **options},
    )


def fitted(scene, support=None, **options):
    method = make_method(**options)
    method.fit_support(scene.snapshot, support or scene.support, seed=1)
    return method


def moved(method, seed=0):
    """Parameters away from the start, where nothing is 0 by chance."""
    generator = torch.Generator().manual_seed(seed)
    start = method.start_parameters()
    return {
        name: value + 0.1 * torch.randn(value.shape, generator=generator).to(value)
        for name, value in start.items()
    }


def oracle(method, scene):
    features = torch.stack(scene.features) * float(method.scale.factor)
    snapshot = LinearHead(method.snapshot.weight / float(method.scale.factor), method.snapshot.bias)
    return PlainObjective(
        features,
        torch.stack(scene.labels),
        [3, 3, 4, 4],
        scene.query * float(method.scale.factor),
        torch.ones(10, 10).to(features),
        snapshot,
        make_support_loss(method.loss, scene.support, method.options),
        method.options.support_weight,
        method.transition,
        method.transduction,
    )


def engine(method, queries):
    """Its objective, on real pixels, through the method's own preparation."""
    return method._problem.objective([method._pixels(Query(query)) for query in queries])


def largest(difference):
    return float(difference.abs().max())


@pytest.mark.parametrize("transition", TRANSITIONS, ids=name)
@pytest.mark.parametrize("loss", [CrossEntropy(), LDAM_NOW], ids=name)
@pytest.mark.parametrize("support_label", ["folded", "partial"])
@pytest.mark.parametrize("query_logits", ["full", "classification"])
def test_gradient_and_terms_equal_the_oracle(scene, transition, loss, support_label, query_logits):
    scene.labels[0][:2] = 255
    scene.labels[1][scene.labels[1] == 0] = 1  # base labels, too
    method = fitted(
        scene,
        transition=transition,
        loss=loss,
        support_label=support_label,
        background_distillation=0.3,
        novel_in_background=0.6,
        class_balance=0.5,
        transduction={**QUERY_LOSSES, **SELF_TRAINING, "query_logits": query_logits},
    )
    parameters = moved(method)
    plain = oracle(method, scene)
    plain.refresh(parameters)
    expected, terms = plain.gradient(parameters, 5)
    objective = engine(method, [scene.query])
    layout = method._layout
    vector = layout.pack(parameters, scene.query).unsqueeze(0)
    objective.begin(vector)
    objective.after_iteration(vector, 10)
    assert largest(objective.pi[0] - plain.pi) < 1e-14
    found, own_terms = objective.gradient(vector, 5)
    for key, value in layout.unpack(found[0]).items():
        scale = 1 + largest(expected[key])
        # Distillation on the support leaves out what 1e-10 inside a logarithm does to a slope.
        tolerance = 1e-9 if method.options.background_distillation else 1e-12
        assert largest(value - expected[key]) / scale < tolerance, key
    assert set(own_terms) == set(terms)
    for key, value in terms.items():
        assert float(own_terms[key][0]) == pytest.approx(float(value), rel=1e-10), key


@pytest.mark.parametrize("transition", TRANSITIONS, ids=name)
@pytest.mark.parametrize("support_label", ["folded", "partial"])
def test_gradient_equals_finite_differences(scene, transition, support_label):
    losses = {**QUERY_LOSSES, **SELF_TRAINING}
    method = fitted(
        scene,
        transition=transition,
        loss=LDAM_NOW,
        support_label=support_label,
        transduction=losses,
    )
    vector = method._layout.pack(moved(method), scene.query).unsqueeze(0)
    objective = engine(method, [scene.query])
    objective.begin(vector)
    objective.after_iteration(vector, 10)
    gradient, terms = objective.gradient(vector, 0)
    assert set(terms) == {"support", "entropy", "kl", "distillation", "self_training"}

    def loss(at):
        return sum(float(t[0]) for t in objective.gradient(at, 0)[1].values())

    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        direction = torch.randn(vector.shape, generator=generator, dtype=torch.float64)
        step = 1e-6
        slope = (loss(vector + step * direction) - loss(vector - step * direction)) / (2 * step)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=name)
@pytest.mark.parametrize("start_seed", ["shared", "query"])
def test_queries_in_one_pass_equal_single_ones(scene, transition, start_seed):
    others = [scene.query, scene.query.flip(1) * 1.1, scene.query[:, :7, :5]]
    method = fitted(scene, transition=transition, start_seed=start_seed)
    queries = [Query(query, seed=i) for i, query in enumerate(others)]
    together = method.adapt_together(queries)
    for query, head in zip(queries, together, strict=True):
        alone = method.adapt(query.features, seed=query.seed)
        assert largest(head.logits(query.features) - alone.logits(query.features)) < 1e-11
        assert largest(head.pi - alone.pi) < 1e-12
        assert head.history[-1]["total"] == pytest.approx(alone.history[-1]["total"], rel=1e-10)


def test_the_number_of_workers_changes_nothing_beyond_rounding(scene):
    heads = [fitted(scene, workers=n).adapt(scene.query) for n in (1, 2, 3)]
    first = heads[0].logits(scene.query)
    assert all(largest(head.logits(scene.query) - first) < 1e-12 for head in heads[1:])


def test_the_same_run_twice_gives_the_same_bits(scene):
    one, two = (fitted(scene, workers=2).adapt(scene.query).logits(scene.query) for _ in "ab")
    assert torch.equal(one, two)


def test_a_failing_worker_stops_all_and_says_why(scene, monkeypatch):
    monkeypatch.setattr(
        "terrashot.adaptation.objective.problem.block_lengths", lambda n, *_: [n // 2] * 2
    )
    method = fitted(scene, workers=2)

    def broken(self, number, *rest):
        if number == 1:
            raise ArithmeticError("block 1")
        return forward(self, number, *rest)

    forward = QueryPass.forward
    monkeypatch.setattr(QueryPass, "forward", broken)
    with pytest.raises(ArithmeticError, match="block 1"):
        method.adapt(scene.query)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=name)
def test_many_small_blocks_give_what_one_gives(scene, transition, monkeypatch):
    whole = fitted(scene, transition=transition, workers=1).adapt(scene.query)

    def sevens(size, *_):
        return [7] * (size // 7) + ([size % 7] if size % 7 else [])

    monkeypatch.setattr("terrashot.adaptation.objective.problem.block_lengths", sevens)
    monkeypatch.setattr("terrashot.adaptation.support.blocks.block_lengths", sevens)
    for workers in (1, 2, 3):
        method = fitted(scene, transition=transition, workers=workers)
        assert len(method._problem._blocks) > 40
        query = Query(scene.query)
        for head in method.adapt_together([query, query]):
            assert largest(head.logits(scene.query) - whole.logits(scene.query)) < 1e-11
            assert largest(head.pi - whole.pi) < 1e-12


@pytest.mark.parametrize("gap", [5.0, 16.0, 20.0, 60.0])
@pytest.mark.parametrize("support_label", ["folded", "partial"])
def test_single_precision_keeps_its_digits_where_a_class_is_sure(scene, gap, support_label):
    gradients = []
    for dtype in (torch.float64, torch.float32):
        support = SupportPixels([f.to(dtype) for f in scene.features], scene.labels, 3, 2)
        method = fitted(scene, support, transition=NoTransition(), support_label=support_label)
        parameters = method.start_parameters()
        parameters["novel_bias"][0] += gap
        vector = method._layout.pack(parameters, support.like).unsqueeze(0)
        gradients.append(method._problem.objective().gradient(vector, 0)[0].double())
    assert largest(gradients[0] - gradients[1]) < 2e-5 * largest(gradients[0])


def test_half_precision_storage_maps_almost_all_pixels_alike(scene):
    def classes(storage):
        support = SupportPixels(scene.features, scene.labels, 3, 2, storage=storage)
        method = fitted(scene, support)
        query = scene.query.float() if storage != torch.float64 else scene.query
        return method.adapt(query).logits(query).argmax(dim=0)

    exact, half = classes(torch.float64), classes(torch.bfloat16)
    assert (exact == half).float().mean() >= 0.99


@pytest.mark.parametrize(("background", "novel"), [(1.0, 1.0), (0.3, 0.5)])
def test_anchored_descent_follows_the_exact_one(scene, background, novel, monkeypatch):
    monkeypatch.setattr("terrashot.adaptation.support.subset._FEWEST", 1)
    settings = {"lr": 9e-5, "iterations": 60, "momentum": 0.9, "weight_decay": 5e-4}
    fast = AnchoredSgd(background=background, novel=novel, full_every=13, **settings)
    exact = fitted(scene, solver=Sgd(**settings), loss=LDAM(start_iteration=20, base_count_scale=0))
    near = fitted(scene, solver=fast, loss=LDAM(start_iteration=20, base_count_scale=0))
    for query in (scene.query, scene.query.flip(2) * 1.05):
        want, found = (method.adapt(query).logits(query) for method in (exact, near))
        if background == 1.0:
            assert largest(want - found) < 1e-10
        assert (want.argmax(dim=0) == found.argmax(dim=0)).float().mean() >= 0.99


def test_a_subset_stands_for_all_pixels(scene):
    method = fitted(scene)
    blocks = method._problem.subset(0.2, 0.5, seed=0)
    whole = sum(b.coefficient * b.block.pixels.shape[1] for b in method._problem._blocks)
    part = sum(b.coefficient * b.block.pixels.shape[1] for b in blocks)
    assert part == pytest.approx(whole)


@pytest.mark.parametrize("bad", [{"background": 0.0}, {"novel": 1.5}, {"full_every": 0}])
def test_impossible_shares_are_errors(bad):
    with pytest.raises(ConfigError, match="solver"):
        AnchoredSgd(lr=0.1, iterations=5, **bad)


def test_an_inductive_method_solves_once(scene, monkeypatch):
    method = fitted(scene, transduction={})
    first = method.adapt(scene.query)
    monkeypatch.setattr(method.solver, "solve", None)
    again = method.adapt(scene.query * 1.1)
    for key, value in first.parameters.items():
        assert torch.equal(value, again.parameters[key])


@pytest.mark.parametrize(
    ("transition", "factor"),
    list(product(TRANSITIONS, [0.01, 100.0])),
    ids=lambda value: str(value) if isinstance(value, float) else type(value).__name__,
)
def test_longer_or_shorter_features_give_the_same_map(scene, transition, factor):
    def classes(at):
        return fitted(at, transition=transition).adapt(at.query).logits(at.query)

    assert largest(classes(scene) - classes(scene.scaled(factor))) < 1e-8
