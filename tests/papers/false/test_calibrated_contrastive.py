"""T1 to T8 and T10 of FALSE's numbered tests; vectors are 2-D unit vectors given by their angle."""

import math

import pytest
import torch
from torch.nn import functional as F

from terrashot.errors import ConfigError
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive
from terrashot.papers.false.losses.false_negatives import FalseNegativeRule

T1 = ([0, 60, 120], [5, 65, 125])
T3 = ([0, 30], [10, 200])


def at_angles(first, second):
    angles = torch.deg2rad(torch.tensor([*first, *second], dtype=torch.float64))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def simclr(embeddings, temperature=0.5):
    """NT-Xent written down independently: cross entropy over each row without its own column."""
    rows = F.normalize(embeddings, dim=1)
    logits = rows @ rows.T / temperature
    logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool), -torch.inf)
    half = len(rows) // 2
    return F.cross_entropy(logits, torch.arange(len(rows)).roll(half))


def cells(outcome):
    return {tuple(cell) for cell in outcome.selected.nonzero().tolist()}


def test_false_t01_without_alpha_it_is_nt_xent():
    z = at_angles(*T1)
    loss = CalibratedContrastive(alpha=0.0)(z).loss
    assert float(loss) == pytest.approx(float(simclr(z)), abs=1e-12)
    assert float(loss) == pytest.approx(0.711904, abs=1e-6)


@pytest.mark.parametrize(("count", "expected"), [(2, 0.239545), (4, 0.594438), (256, 4.248795)])
def test_false_t02_equal_positives_and_all_else_orthogonal(count, expected):
    z = torch.eye(count, dtype=torch.float64).repeat(2, 1)
    loss = CalibratedContrastive(alpha=0.0)(z).loss
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_false_t02_all_embeddings_equal():
    loss = CalibratedContrastive(alpha=0.0)(torch.ones(512, 8)).loss
    assert float(loss) == pytest.approx(6.236370, abs=1e-5)
    assert float(loss) == pytest.approx(math.log(511), abs=1e-5)


@pytest.mark.parametrize(
    ("alpha", "row", "mean"),
    [(0.0, 0.593242, 1.716143), (0.5, 0.260869, 1.633050), (0.9, 0.056929, 1.582065),
     (1.0, 0.011839, 1.570793)],
)  # fmt: skip
def test_false_t03_the_published_scope_edits_one_row(alpha, row, mean):
    outcome = CalibratedContrastive(alpha=alpha, scope="batch")(at_angles(*T3))
    assert cells(outcome) == {(0, 1)}
    assert outcome.rows.tolist() == pytest.approx([row, 4.482561, 0.659168, 1.129602], abs=1e-6)
    assert float(outcome.loss) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(("alpha", "mean"), [(0.5, 1.538979), (0.9, 1.432034), (1.0, 1.408530)])
def test_false_t04_each_anchor_chooses_where_its_own_positive_is_near(alpha, mean):
    outcome = CalibratedContrastive(alpha=alpha)(at_angles(*T3))
    # Rows 1 and 3 choose nothing: their own positive is far, although rows 1 and 2 are near.
    assert cells(outcome) == {(0, 1), (2, 1)}
    assert float(outcome.loss) == pytest.approx(mean, abs=1e-6)
    if alpha == 1:
        assert float(outcome.rows[2]) == pytest.approx(0.010119, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scope", ["anchor", "batch"])
def test_false_t05_below_the_threshold_nothing_is_chosen(alpha, scope):
    loss = CalibratedContrastive(alpha=alpha, threshold=0.999, scope=scope)
    outcome = loss(at_angles(*T1))
    assert not outcome.selected.any()
    assert float(outcome.loss) == pytest.approx(0.711904, abs=1e-6)
    assert outcome.cosine[0, 3] == pytest.approx(0.99619, abs=1e-5)


@pytest.mark.parametrize(("alpha", "slope"), [(0.0, 0.077084), (0.9, 0.003644), (1.0, -0.000918)])
def test_false_t06_the_false_negative_is_pulled_in_beyond_alpha_star(alpha, slope):
    """The gradient of row 0 towards the similarity f of its false negative, through the loss."""
    z = at_angles(*T3)
    cosine = (z @ z.T)[0]
    p, f, rest = (math.exp(2 * float(cosine[j])) for j in (2, 1, 3))
    assert (p, f, rest) == pytest.approx((7.16792, 5.65223, 0.152684), abs=1e-5)
    outcome = CalibratedContrastive(alpha=alpha)(z)
    assert float(outcome.turning_point[0]) == pytest.approx(0.979143, abs=1e-6)
    assert -alpha / (p + alpha * f) + 1 / (p + f + rest) == pytest.approx(slope, abs=1e-6)

    # Turning vector 1 changes row 0 through f alone: dl/dangle = dl/df df/dangle.
    step = 1e-3  # degrees
    losses = [
        float(CalibratedContrastive(alpha=alpha)(at_angles([0, 30 + d], [10, 200])).rows[0])
        for d in (step, -step)
    ]
    turned = f * 2 * -math.sin(math.radians(30))
    found = (losses[0] - losses[1]) / (2 * math.radians(step)) / turned
    assert found == pytest.approx(slope, abs=1e-6)


def test_false_t07_what_leaves_the_negative_side_arrives_on_the_positive_one():
    z = torch.randn(12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z[6:] = z[:6] + 0.1 * z[6:]
    sums = []
    for alpha in (0.0, 0.3, 0.9, 1.0):
        outcome = CalibratedContrastive(alpha=alpha, top_k=2)(z)
        similarity = (outcome.cosine / 0.5).exp()
        chosen = outcome.selected
        assert chosen.any()
        numerator = similarity.gather(1, outcome.positive)[:, 0] + alpha * (
            similarity * chosen
        ).sum(1)
        negative = similarity.sum(1) - similarity.diagonal()
        negative = negative - similarity.gather(1, outcome.positive)[:, 0]
        negative = negative - alpha * (similarity * chosen).sum(1)
        torch.testing.assert_close(outcome.rows, -(numerator / (numerator + negative)).log())
        sums.append(numerator + negative)
    for other in sums[1:]:
        torch.testing.assert_close(sums[0], other)


def test_false_t08_far_negatives_never_select_more_than_one_pair():
    z = at_angles([0, 90, 180, 270], [5, 95, 185, 275])
    outcome = CalibratedContrastive(alpha=1.0, threshold=0.5, scope="batch")(z)
    assert outcome.selected.sum() == 1  # four pairs are equally near: one of them
    plain = CalibratedContrastive(alpha=0.0)(z)
    assert float(plain.loss) == pytest.approx(0.461646, abs=1e-6)
    assert float(outcome.loss) > 0.4  # not the 0.214316 of the published sentinel


def test_the_published_sentinel_takes_the_triangle_below_the_diagonal():
    """Section 7.3 of the spec: 40 of 64 cells, of which 24 are negatives and count."""
    z = at_angles([0, 90, 180, 270], [5, 95, 185, 275])
    outcome = CalibratedContrastive(threshold=0.5, scope="batch", sentinel=3.0)(z)
    assert float(outcome.loss) == pytest.approx(0.214316, abs=1e-6)
    assert cells(outcome) == {(i, j) for i in range(8) for j in range(i) if i - j != 4}


def test_the_published_sentinel_at_32_images_by_hand():
    """Orthogonal images, cosine c between views: p + 62 in every denominator, R = 62."""
    count, cosine = 32, 0.987557
    turned = math.acos(cosine)
    first = torch.eye(2 * count, dtype=torch.float64)[:count]
    other = torch.eye(2 * count, dtype=torch.float64)[count:]
    z = torch.cat([first, math.cos(turned) * first + math.sin(turned) * other])
    # A view and the other view of another image have cosine 0 too, so all distances are p - 1.
    p = math.exp(2 * cosine)
    assert p - 1 > 3
    plain = math.log((p + 62) / p)
    below = [*range(count), *(count + i - 1 for i in range(count))]  # negatives of each row there
    expected = sum(math.log((p + 62) / (p + 0.9 * n)) for n in below) / (2 * count)
    assert (plain, expected) == pytest.approx((2.262, 0.8175), abs=1e-4)
    published = CalibratedContrastive(alpha=0.9, scope="batch", sentinel=3.0)(z)
    assert float(published.loss) == pytest.approx(expected, abs=1e-9)
    mended = CalibratedContrastive(alpha=0.9, scope="batch")(z)
    assert mended.selected.sum() == 1
    assert float(mended.loss) == pytest.approx(plain - math.log(1 + 0.9 / p) / 64, abs=1e-9)


@pytest.mark.parametrize(("alpha", "mean"), [(0.5, 1.633050), (1.0, 1.570793)])
def test_below_the_sentinel_the_published_search_is_the_mended_one(alpha, mean):
    outcome = CalibratedContrastive(alpha=alpha, scope="batch", sentinel=3.0)(at_angles(*T3))
    assert cells(outcome) == {(0, 1)}
    assert float(outcome.loss) == pytest.approx(mean, abs=1e-6)


def test_the_published_name_of_alpha_is_taken():
    z = at_angles(*T3)
    named = CalibratedContrastive(confidence_weight=0.5)
    assert named.alpha == 0.5
    assert float(named(z).loss) == pytest.approx(1.538979, abs=1e-6)
    assert CalibratedContrastive(alpha=0.5, confidence_weight=0.5).alpha == 0.5
    with pytest.raises(ConfigError, match=r"loss\.alpha is 0\.3 and loss\.confidence_weight 0\.5"):
        CalibratedContrastive(alpha=0.3, confidence_weight=0.5)
    with pytest.raises(ConfigError, match=r"loss\.alpha here"):
        CalibratedContrastive(confidence_weight=1.5)


@pytest.mark.parametrize("scope", ["anchor", "batch"])
@pytest.mark.parametrize("temperature", [0.5, 0.05, 0.01])
def test_false_t10_it_runs_on_the_cpu_in_float32_under_bfloat16(scope, temperature):
    loss = CalibratedContrastive(temperature=temperature, scope=scope, threshold=0.0, top_k=1)
    torch.manual_seed(0)
    layer = torch.nn.Linear(6, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = layer(torch.randn(8, 6).repeat(2, 1) + 0.05 * torch.randn(16, 6))
        assert z.dtype == torch.bfloat16
        outcome = loss(z)
    assert outcome.loss.dtype == outcome.cosine.dtype == torch.float32
    assert outcome.selected.any()
    outcome.loss.backward()
    assert torch.isfinite(outcome.loss)
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters())
    for value in outcome.statistics().values():
        assert torch.isfinite(value)
    # The same numbers without autocast, up to the rounding of z itself: all sums are float32.
    assert float(loss(z.detach()).loss) == float(outcome.loss.detach())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_equal_rows_and_rows_of_zeros_have_finite_gradients(kind):
    for z in (torch.ones(6, 4, dtype=kind), torch.zeros(6, 4, dtype=kind)):
        z.requires_grad_()
        outcome = CalibratedContrastive(temperature=0.05, threshold=-1)(z)
        outcome.loss.backward()
        assert torch.isfinite(outcome.loss)
        assert torch.isfinite(z.grad).all()


def test_gradients_are_those_of_finite_differences():
    z = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    z[4:] = z[:4] + 0.05 * z[4:]
    loss = CalibratedContrastive(alpha=0.7, top_k=2)
    assert loss(z).selected.any()
    assert torch.autograd.gradcheck(lambda x: loss(x).loss, z.requires_grad_(), eps=1e-7)


def test_distances_before_and_after_the_exponential_choose_differently():
    """Positive .90, negatives .95 and .848: gaps .050/.052 of cosines, .6362/.5976 after exp."""
    cosine = torch.tensor([[1.0, 0.9, 0.95, 0.848]])
    negatives = torch.tensor([[False, False, True, True]])
    positive = torch.tensor([[1]])
    picked = {
        distance: FalseNegativeRule(0.9, "anchor", distance).find(
            cosine, positive, negatives, 0.5
        ).nonzero()[0, 1].item()
        for distance in ("cos", "exp")
    }  # fmt: skip
    assert picked == {"cos": 2, "exp": 3}


def test_the_k_nearest_negatives_are_chosen():
    outcome = CalibratedContrastive(top_k=3, threshold=0.5)(at_angles(*T1))
    assert outcome.selected.sum(1).tolist() == [3] * 6
    assert not outcome.selected.gather(1, outcome.positive).any()
    assert not outcome.selected.diagonal().any()


def test_before_the_warmup_is_over_it_is_nt_xent():
    z = at_angles(*T3)
    loss = CalibratedContrastive(warmup_epochs=2)
    values = []
    for epoch in range(4):
        loss.set_epoch(epoch)
        values.append(float(loss(z).loss))
    assert values == pytest.approx([1.716143, 1.716143, 1.408530, 1.408530], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"temperature": 0}, "loss.temperature"), ({"alpha": 1.5}, "loss.alpha"),
     ({"scope": "row"}, "loss.scope"), ({"distance": "l2"}, "loss.distance"),
     ({"threshold": 2}, "loss.threshold"), ({"top_k": 0}, "loss.top_k"),
     ({"scope": "batch", "top_k": 2}, "loss.top_k"), ({"sentinel": 3.0}, "loss=calibrated_paper"),
     ({"scope": "batch", "sentinel": 0}, "loss.sentinel"),
     ({"warmup_epochs": -1}, "warmup_epochs")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(options, word):
    with pytest.raises(ConfigError, match=word):
        CalibratedContrastive(**options)


def test_a_batch_too_small_is_refused():
    with pytest.raises(ConfigError, match=r"data\.batch_size"):
        CalibratedContrastive().check_batch(1)
    with pytest.raises(ConfigError, match="has 2 negatives"):
        CalibratedContrastive(top_k=3).check_batch(2)
    CalibratedContrastive(top_k=2).check_batch(2)
