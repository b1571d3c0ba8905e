import math

import pytest
import torch

from terrashot.papers.false.evaluation.embeddings import (
    accuracies,
    alignment,
    nearest_classes,
    uniformity,
)


def test_alignment_and_uniformity_have_their_analytic_values():
    axes = torch.eye(4)
    assert alignment(axes, axes) == 0
    assert alignment(axes, axes.roll(1, 0)) == pytest.approx(2)
    assert uniformity(axes) == pytest.approx(-4)  # all pairs at squared distance 2
    assert uniformity(torch.ones(5, 1)) == pytest.approx(0, abs=1e-6)
    two = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert uniformity(two) == pytest.approx(math.log((1 + 2 * math.exp(-8)) / 3), abs=1e-6)


def test_neighbours_of_the_same_tile_do_not_vote():
    features = torch.tensor([[1.0, 0.0], [1.0, 0.01], [0.9, 0.3], [0.0, 1.0], [0.1, 1.0]])
    labels = torch.tensor([0, 0, 1, 2, 2])
    apart = torch.arange(5)
    assert nearest_classes(features, labels, apart, 1).tolist() == [0, 0, 0, 2, 2]
    same = torch.tensor([0, 0, 1, 2, 3])
    assert nearest_classes(features, labels, same, 1).tolist()[:2] == [1, 1]


def test_nearer_neighbours_weigh_more():
    features = torch.tensor([[1.0, 0.0], [1.0, 0.05], [0.5, 1.0], [0.5, 1.1]])
    labels = torch.tensor([1, 1, 0, 0])
    assert int(nearest_classes(features, labels, torch.arange(4), 3)[0]) == 1


def test_a_single_tile_gives_numbers_and_no_error():
    predicted = nearest_classes(torch.eye(3), torch.tensor([0, 1, 1]), torch.zeros(3), 20)
    assert predicted.shape == (3,)


def test_rare_classes_count_fully_in_the_mean_over_classes():
    labels = torch.tensor([0] * 9 + [3])
    overall, by_class = accuracies(torch.zeros(10, dtype=torch.int64), labels)
    assert overall == pytest.approx(0.9)
    assert by_class == pytest.approx(0.5)
