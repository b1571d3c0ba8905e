import numpy as np
import pytest

from terrashot.assessment.clusters import cluster_accuracy, counted_accuracy


def polygons(*rows):
    """Ground of polygons in a map of two classes: their class, and area shown as each class."""
    ground = np.zeros((len(rows), 2, 2))
    for number, (true, first, second) in enumerate(rows):
        ground[number, :, true] = first, second
    return ground


def test_shares_are_those_of_the_polygons_weighed_by_the_area_of_the_classes():
    ground = polygons((0, 30, 10), (0, 10, 0), (1, 10, 40))
    found = cluster_accuracy(ground, np.array([300, 100]))
    # Of class 0 of the map, 40 of 50 are right; of class 1, 40 of 50.
    assert found.matrix == pytest.approx(np.array([[0.75 * 0.8, 0.75 * 0.2], [0.05, 0.2]]))
    assert found.overall.values == pytest.approx(0.8)
    assert found.users.values == pytest.approx([0.8, 0.8])
    assert found.producers.values == pytest.approx([0.6 / 0.65, 0.2 / 0.35])
    assert found.shares.values == pytest.approx([0.65, 0.35])


def test_the_error_is_that_between_polygons():
    ground = polygons((0, 30, 10), (0, 10, 0), (1, 10, 40))
    found = cluster_accuracy(ground, np.array([300, 100]))
    # What each polygon has of class 0 rightly, less what is expected of its ground there.
    parts = np.array([30 - 0.8 * 30, 10 - 0.8 * 10, 0 - 0.8 * 10]) / 50
    expected = np.sqrt(3 / 2 * (parts**2).sum())
    assert found.users.errors[0] == pytest.approx(expected)


def test_ten_times_the_pixels_in_the_same_polygons_tell_no_more():
    ground = polygons((0, 30, 10), (0, 10, 0), (1, 10, 40))
    one, ten = (cluster_accuracy(times * ground, np.array([3, 1])) for times in (1, 10))
    assert ten.overall.errors == pytest.approx(one.overall.errors)
    more = cluster_accuracy(np.concatenate([ground] * 10), np.array([3, 1]))
    assert more.overall.errors < 0.4 * one.overall.errors


def test_a_class_that_one_polygon_shows_has_no_known_error():
    found = cluster_accuracy(polygons((0, 30, 0), (0, 10, 0), (1, 10, 40)), np.array([3, 1]))
    assert np.isnan(found.users.errors[1])
    assert found.users.errors[0] > 0


def test_a_single_polygon_has_no_error_at_all():
    found = cluster_accuracy(polygons((0, 30, 10)), np.array([3, 1]))
    assert found.overall.values == pytest.approx(0.75)
    assert np.isnan(found.overall.errors)
    assert np.isnan(found.shares.errors).all()


def test_intervals_of_many_draws_of_polygons_hold_the_truth():
    """1,000 plots whose pixels go together; 150 of them drawn, 1,000 times."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 1000)
    rightly = rng.beta(4, 1, 1000)  # of the ground of a plot
    size = rng.integers(5, 60, 1000)
    every = np.zeros((1000, 2, 2))
    numbers = np.arange(1000)
    every[numbers, kinds, kinds] = size * rightly
    every[numbers, 1 - kinds, kinds] = size * (1 - rightly)
    mapped = every.sum(axis=(0, 2))
    truth = every[:, [0, 1], [0, 1]].sum() / every.sum()
    covered = 0
    for _ in range(1000):
        drawn = rng.integers(0, 1000, 150)
        low, high = cluster_accuracy(every[drawn], mapped).overall.interval(0.95)
        covered += low <= truth <= high
    assert 0.93 < covered / 1000 < 0.97


def test_what_is_counted_has_no_error():
    found = counted_accuracy(np.array([[6.0, 2, 0], [1, 1, 0], [0, 0, 0]]))
    assert found.overall.values == pytest.approx(0.7)
    assert found.users.values[:2] == pytest.approx([0.75, 0.5])
    assert np.isnan(found.users.values[2])
    assert found.shares.values == pytest.approx([0.7, 0.3, 0])
    assert not found.shares.errors.any()
