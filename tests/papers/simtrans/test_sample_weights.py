import pytest
import torch
from torch import nn
from torchmetrics.functional.classification import binary_auroc

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.losses.weighted_cross_entropy import weighted_cross_entropy
from terrashot.papers.simtrans.training.sample_weights import (
    less_base,
    mean_one,
    mean_similarity,
    of_maximum,
    positive,
)

S = torch.tensor([[1, 0.9, 0.2], [0.7, 1, 0.1], [0.3, 0.1, 1]], dtype=torch.float64)


def close(values, expected):
    return torch.allclose(values, torch.tensor(expected, dtype=torch.float64), atol=1e-6)


def test_simtrans_t01_row_means_with_self_become_weights_of_mean_one():
    rows = mean_similarity(S, "avg", include_self=True)
    assert close(rows, [0.70, 0.60, 0.466667])
    assert close(mean_one(rows), [1.188679, 1.018868, 0.792453])
    both = mean_similarity(S, "savg", include_self=True)
    assert close(both, [0.683333, 0.633333, 0.45])
    assert close(mean_one(both), [1.160377, 1.075472, 0.764151])
    assert float(mean_one(both).mean()) == pytest.approx(1)


def test_simtrans_t02_without_self_the_outlier_weighs_much_less():
    found = mean_similarity(S, "savg")
    assert close(found, [0.525, 0.45, 0.175])
    assert close(mean_one(found), [1.369565, 1.173913, 0.456522])


def test_simtrans_t03_the_most_similar_two_with_self():
    assert close(mean_similarity(S, "savg", share=2 / 3, include_self=True), [0.9, 0.9, 0.625])


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_tiny_classes_never_give_nan(share, size):
    found = mean_similarity(torch.rand(size, size), "savg", share=share)
    assert found.shape == (size,)
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize(("clean_share", "expected"), [(0.6, (0.58, 0.42)), (0.4, (0.42, 0.58))])
def test_simtrans_t15_coherent_noise_outvotes_a_minority_unless_base_anchors_are_asked(
    clean_share, expected
):
    size = 1000
    clean = torch.arange(size) < clean_share * size
    blob = clean.unsqueeze(0) == clean.unsqueeze(1)
    similarity = torch.where(blob, 0.9, 0.1).double()
    own = mean_similarity(similarity, "avg", include_self=True)
    assert float(own[0]) == pytest.approx(expected[0])
    assert float(own[-1]) == pytest.approx(expected[1])
    if clean_share > 0.5:
        return
    to_base = torch.stack([torch.where(clean, 0.1, 0.9), torch.full((size,), 0.05)], dim=1)
    corrected = less_base(own, to_base.double())
    assert float(corrected[0]) == pytest.approx(0.32)
    assert float(corrected[-1]) == pytest.approx(-0.32)
    for rescale in ("softplus", "rank"):
        weights = mean_one(positive(corrected, rescale))
        assert float(weights[clean].min()) > float(weights[~clean].max())
        assert float(weights.min()) > 0
        assert float(weights.mean()) == pytest.approx(1)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: mean_similarity(S, "max"),
        lambda: mean_similarity(S, share=0.0),
        lambda: positive(S[0], "exp"),
        lambda: positive(S[0], sharpness=0.0),
    ],
)
def test_impossible_settings_are_errors(bad):
    with pytest.raises(ConfigError):
        bad()


def test_the_published_share_is_rounded_down_and_ours_up():
    assert close(mean_similarity(S, "avg", share=0.5, include_self=True), [1, 1, 1])
    assert close(mean_similarity(S, "avg", share=0.6), [0.55, 0.4, 0.2])
    assert close(mean_similarity(S, "avg", share=0.1, include_self=True), [1, 1, 1])


def test_weights_of_a_largest_one_are_those_of_the_published_norm():
    both = mean_similarity(S, "savg", include_self=True)  # 0.683333, 0.633333, 0.45
    assert close(of_maximum(both, 2.0, 0.0), [2.0, 1.853659, 1.317073])
    assert close(of_maximum(both, 2.0, -4.0), [2.0, 1.987312, 1.891075])
    assert close(of_maximum(torch.zeros(2, dtype=torch.float64), 3.0, -4.0), [3.0, 3.0])


def blobs(seed, count=60, channels=30, flips=0.4):
    """Units of two blobs, clean and noisy labels, and clean test units."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(2, channels, generator=generator) / channels**0.5 * 1.2

    def draw(size):
        truth = torch.arange(2).repeat_interleave(size)
        return centre[truth] + torch.randn(2 * size, channels, generator=generator), truth

    units, truth = draw(count)
    noisy = truth.clone()
    for label in (0, 1):
        members = (truth == label).nonzero()[:, 0]
        wrong = members[torch.randperm(count, generator=generator)[: round(flips * count)]]
        noisy[wrong] = 1 - label
    return units, truth, noisy, *draw(1000)


def accuracy(units, labels, weights, test, truth):
    torch.manual_seed(0)
    model = nn.Linear(units.shape[1], 2)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = weighted_cross_entropy(model(units), labels, weights)
        loss.backward()
        return loss

    optimizer.step(closure)
    return float((model(test).argmax(dim=1) == truth).float().mean())


def test_simtrans_t11_weights_find_the_flips_and_training_with_them_is_better():
    gains = []
    for seed in range(5):
        units, truth, noisy, test, test_truth = blobs(seed)
        alike = truth.unsqueeze(0) == truth.unsqueeze(1)
        similarity = torch.where(alike, 0.9, 0.1)
        weights = torch.ones(len(units))
        for label in (0, 1):
            own = (noisy == label).nonzero()[:, 0]
            weights[own] = mean_one(mean_similarity(similarity[own][:, own], "savg"))
            clean = (truth[own] == label).long()
            assert float(binary_auroc(weights[own], clean)) > 0.95
        plain = accuracy(units, noisy, torch.ones(len(units)), test, test_truth)
        gains.append(accuracy(units, noisy, weights, test, test_truth) - plain)
    assert min(gains) > 0
    assert sum(gains) / len(gains) > 0.01
