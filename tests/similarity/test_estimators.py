"""What holds for every estimator that needs no files, and prototype_cosine and uniform alone."""

import math

import pytest
import torch

from terrashot.errors import ConfigError, DataError
from terrashot.similarity.estimator import FeatureBank
from terrashot.similarity.prototype_cosine import PrototypeCosine
from terrashot.similarity.transport import Transport
from terrashot.similarity.uniform import Uniform

ESTIMATORS = {
    "transport": Transport(tolerance=1e-12),
    "transport_paper": Transport(tolerance=1e-12, all_pixels=True),
    "prototype_cosine": PrototypeCosine(),
    "prototype_cosine plain": PrototypeCosine(centre=False),
    "uniform": Uniform(),
}


@pytest.fixture(params=ESTIMATORS, ids=str)
def estimator(request):
    return ESTIMATORS[request.param]


def bank(means, counts=None, total=1000):
    counts = torch.tensor(counts or [10] * len(means))
    return FeatureBank(means * counts.unsqueeze(1), counts, total)


def random_means(classes, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(classes, 6, generator=generator, dtype=torch.float64).abs()


def test_rows_are_base_columns_sum_to_one_and_nothing_is_negative(estimator):
    similarity = estimator.estimate(bank(random_means(5, 0)), bank(random_means(3, 1)))
    assert similarity.shape == (5, 3)
    assert bool((similarity >= 0).all())
    assert torch.allclose(similarity.sum(dim=0), torch.ones(3).double())


def test_the_order_of_the_classes_is_kept(estimator):
    base, novel = random_means(5, 0), random_means(3, 1)
    rows, columns = [3, 1, 4, 0, 2], [2, 0, 1]
    plain = estimator.estimate(bank(base), bank(novel))
    turned = estimator.estimate(bank(base[rows]), bank(novel[columns]))
    assert torch.allclose(turned, plain[rows][:, columns], atol=1e-9)


def test_float32_features_give_the_same_matrix(estimator):
    base, novel = bank(random_means(5, 0)), bank(random_means(3, 1))
    halves = [FeatureBank(b.sums.float(), b.counts, b.total_pixels) for b in (base, novel)]
    exact, found = estimator.estimate(base, novel), estimator.estimate(*halves)
    assert torch.allclose(found, exact, atol=1e-5)


def test_without_a_base_pixel_the_error_says_so():
    base, novel = bank(random_means(3, 0), counts=[0, 0, 0]), bank(random_means(2, 1))
    for estimator in (Transport(), PrototypeCosine()):
        with pytest.raises(DataError, match=r"no base class has a pixel.*similarity=uniform"):
            estimator.estimate(base, novel)
    assert bool((Uniform().estimate(base, novel) == 1 / 3).all())


def naive_cosine(base, novel, counts, temperature, centre):
    """In loops over plain numbers."""
    channels = range(base.shape[1])
    rows = [b for b, count in zip(base.tolist(), counts, strict=True) if count] + novel.tolist()
    mean = [sum(v[c] for v in rows) / len(rows) if centre else 0.0 for c in channels]
    result = torch.zeros(len(base), len(novel), dtype=torch.float64)
    for j, n in enumerate(novel.tolist()):
        weights = []
        for b, count in zip(base.tolist(), counts, strict=True):
            x = [b[c] - mean[c] for c in channels]
            y = [n[c] - mean[c] for c in channels]
            dot = sum(p * q for p, q in zip(x, y, strict=True))
            cosine = dot / math.sqrt(sum(p * p for p in x) * sum(q * q for q in y))
            weights.append(math.exp(cosine / temperature) if count else 0.0)
        for i, weight in enumerate(weights):
            result[i, j] = weight / sum(weights)
    return result


@pytest.mark.parametrize("centre", [True, False])
def test_prototype_cosine_equals_loops(centre):
    base, novel, counts = random_means(4, 0), random_means(2, 1), [30, 5, 0, 7]
    found = PrototypeCosine(0.2, centre).estimate(bank(base, counts), bank(novel))
    assert torch.allclose(found, naive_cosine(base, novel, counts, 0.2, centre))
    assert bool((found[2] == 0).all())


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("factor", [100.0, 0.01, 1e-8])
def test_prototype_cosine_is_free_of_scale(centre, factor):
    base, novel = random_means(4, 0), random_means(2, 1)
    plain = PrototypeCosine(centre=centre).estimate(bank(base), bank(novel))
    scaled = PrototypeCosine(centre=centre).estimate(
        bank(base).scaled(factor), bank(novel).scaled(factor)
    )
    assert torch.allclose(scaled, plain, rtol=1e-9)


def test_centring_parts_classes_that_all_point_one_way():
    base = 10 + 4 * torch.eye(6, dtype=torch.float64)[:4]
    novel = base[[2, 0]] + 0.3
    plain = PrototypeCosine(centre=False).estimate(bank(base), bank(novel))
    centred = PrototypeCosine(centre=True).estimate(bank(base), bank(novel))
    assert float(plain.max()) < 0.27
    assert float(centred.amax(dim=0).min()) > 0.7
    assert centred.argmax(dim=0).tolist() == [2, 0]


def test_the_matrix_does_not_depend_on_how_many_pixels_a_class_has():
    base, novel = random_means(4, 0), random_means(2, 1)
    few = PrototypeCosine().estimate(bank(base), bank(novel))
    many = PrototypeCosine().estimate(bank(base, [10, 90_000, 10, 10]), bank(novel))
    assert torch.allclose(few, many)


@pytest.mark.parametrize("temperature", [0.0, -1, "warm", float("nan"), float("inf")])
def test_a_bad_temperature_is_named(temperature):
    with pytest.raises(ConfigError, match=r"similarity\.temperature is .*above 0"):
        PrototypeCosine(temperature=temperature)


def test_a_scaled_bank_keeps_counts_and_names():
    plain = FeatureBank(torch.ones(2, 3), torch.tensor([4, 5]), 9, ["road", "tree"])
    scaled = plain.scaled(3.0)
    assert bool((scaled.sums == 3).all())
    assert scaled.counts is plain.counts
    assert (scaled.total_pixels, scaled.names) == (9, ["road", "tree"])
