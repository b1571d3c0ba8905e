import math

import pytest
import torch

from terrashot.similarity.estimator import FeatureBank
from terrashot.similarity.transport import Transport


def bank(means, counts=None, total=1000):
    counts = torch.tensor(counts or [10] * len(means))
    return FeatureBank(means * counts.unsqueeze(1), counts, total)


def random_means(classes, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(classes, 6, generator=generator, dtype=torch.float64) * 2


def naive_plan(base, novel, sharpness, rounds=2000):
    """Sinkhorn by plain scaling, in loops."""
    plan = [[math.exp(-sharpness * float(((b - n) ** 2).sum())) for n in novel] for b in base]
    for _ in range(rounds):
        for j in range(len(novel)):
            total = sum(row[j] for row in plan)
            for row in plan:
                row[j] /= total * len(novel)
        for row in plan:
            total = sum(row)
            row[:] = [v / (total * len(base)) for v in row]
    return torch.tensor(plan, dtype=torch.float64)


def test_plan_equals_plain_scaling_and_has_uniform_marginals():
    base, novel = random_means(5, 0), random_means(3, 1)
    plan = Transport(tolerance=1e-12).plan(bank(base), bank(novel))
    assert torch.allclose(plan, naive_plan(base, novel, 0.1), atol=1e-9)
    assert torch.allclose(plan.sum(dim=0), torch.full((3,), 1 / 3).double(), atol=1e-9)
    assert torch.allclose(plan.sum(dim=1), torch.full((5,), 1 / 5).double(), atol=1e-9)


def test_columns_sum_to_one_and_rows_are_base_classes():
    similarity = Transport().estimate(bank(random_means(5, 0)), bank(random_means(3, 1)))
    assert similarity.shape == (5, 3)
    assert torch.allclose(similarity.sum(dim=0), torch.ones(3).double())


@pytest.mark.parametrize("all_pixels", [False, True])
def test_similarity_follows_the_order_of_the_classes(all_pixels):
    base, novel, order = random_means(5, 0), random_means(3, 1), [2, 0, 1]
    estimator = Transport(tolerance=1e-12, all_pixels=all_pixels)
    plain = estimator.estimate(bank(base), bank(novel))
    turned = estimator.estimate(bank(base), bank(novel[order]))
    assert torch.allclose(turned, plain[:, order], atol=1e-9)


def test_class_means_find_the_parent_and_sums_over_all_pixels_do_not():
    base = 4 * torch.eye(6, dtype=torch.float64)[:4]
    novel = base[[2, 0]] + 0.3
    means = Transport().estimate(bank(base), bank(novel))
    assert means.argmax(dim=0).tolist() == [2, 0]
    assert means.max() > 0.4
    published = Transport(all_pixels=True).estimate(bank(base), bank(novel))
    assert (published - 0.25).abs().max() < 0.01


def test_a_base_class_without_pixels_takes_no_part():
    base, novel = random_means(4, 0), random_means(2, 1)
    similarity = Transport().estimate(bank(base, counts=[10, 0, 10, 10]), bank(novel))
    rest = Transport().estimate(bank(base[[0, 2, 3]]), bank(novel))
    assert similarity[1].abs().max() == 0
    assert torch.allclose(similarity[[0, 2, 3]], rest)


def test_huge_distances_stay_finite():
    base, novel = random_means(3, 0) * 1e3, random_means(2, 1) * 1e3
    similarity = Transport().estimate(bank(base), bank(novel))
    assert torch.allclose(similarity.sum(dim=0), torch.ones(2).double())


def test_a_plan_that_does_not_settle_is_reported():
    with pytest.warns(UserWarning, match="did not settle"):
        Transport(max_iterations=1).plan(bank(random_means(3, 0)), bank(random_means(2, 1)))
