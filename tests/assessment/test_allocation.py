"""Figures of Olofsson and others 2014, section 5.1, and the bounds of every allocation."""

import numpy as np
import pytest

from terrashot.assessment.allocation import ALLOCATIONS, allocate, sample_size
from terrashot.errors import ConfigError

WEIGHTS = np.array([0.020, 0.015, 0.320, 0.645])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def test_olofssons_sample_size():
    assert sample_size(WEIGHTS, np.array([0.70, 0.60, 0.90, 0.95]), 0.01) == 641


def test_olofssons_proportional_and_equal_allocation():
    assert allocate("proportional", 641, WEIGHTS, PIXELS, 50).tolist() == [13, 10, 205, 413]
    assert allocate("equal", 640, WEIGHTS, PIXELS, 50).tolist() == [160] * 4


def test_the_compromise_gives_rare_classes_a_minimum_and_shares_the_rest_by_area():
    """By their rule; their Table 5 prints 165 and 325, rounded by hand."""
    found = allocate("compromise", 640, WEIGHTS, PIXELS, 75)
    assert found.tolist() == [75, 75, 162, 328]
    rest = 490 * np.array([0.320, 0.645]) / 0.965
    np.testing.assert_allclose(found[2:], rest, atol=0.6)


@pytest.mark.parametrize("kind", sorted(ALLOCATIONS))
def test_every_stratum_has_two_units_none_more_than_it_has_and_the_sum_is_right(kind):
    rng = np.random.default_rng(0)
    for _ in range(200):
        population = rng.integers(1, 10 ** rng.integers(1, 6), size=rng.integers(1, 12))
        units = int(rng.integers(2 * len(population), 500))
        found = allocate(kind, units, population / 7.0, population, 5 if units > 60 else 2)
        assert found.sum() == min(units, population.sum())
        assert (found <= population).all()
        assert (found >= np.minimum(2, population)).all()


def test_too_few_units_are_told():
    with pytest.raises(ConfigError, match="4 strata with at least 75 points in each need 300"):
        allocate("compromise", 200, WEIGHTS, PIXELS, 75)
    with pytest.raises(ConfigError, match="need 8"):
        allocate("proportional", 7, WEIGHTS, PIXELS, 75)
