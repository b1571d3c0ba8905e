import math
from copy import copy

import pytest
import torch

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.balanced import BalancedMethod, fitted_biases, told_labels
from terrashot.adaptation.methods.complete import CompleteMethod
from terrashot.adaptation.methods.refined import refined
from terrashot.adaptation.methods.ridge import Ridge
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import ConfigError
from terrashot.taxonomy import IGNORE

BASE, NOVEL = 3, 2


@pytest.fixture
def balanced(scene):
    method = BalancedMethod(Ridge())
    method.fit_support(scene.snapshot, scene.support)
    return method


def test_without_evidence_biases_bring_the_shares_of_the_labels():
    """Three of four labels are of the first class: odds of 3, up to the penalty."""
    biases = fitted_biases(torch.zeros(2, 4000), torch.arange(4000) % 4 // 3)
    assert float(biases[0] - biases[1]) == pytest.approx(math.log(3), abs=0.15)
    assert float(biases.sum()) == pytest.approx(0, abs=1e-5)


def test_the_biases_are_where_the_likelihood_and_the_penalty_are_flat():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 500, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (500,), generator=generator)  # one class is never right
    biases = fitted_biases(logits, labels).requires_grad_()
    loss = torch.nn.functional.cross_entropy((logits + biases[:, None]).T, labels)
    (loss + 1e-2 * biases.square().sum()).backward()
    assert float(biases.grad.abs().max()) < 1e-6


def test_only_surely_known_pixels_count():
    frozen = LinearHead(torch.eye(3), torch.zeros(3))
    pixels = torch.tensor([[9.0, 0, 0, 0, 0], [0, 9.0, 0, 0.1, 0], [0, 0, 9.0, 0, 9.0]])
    kept, labels = told_labels(pixels, torch.tensor([0, 0, 3, 0, 0]), frozen)
    # background is no label, the fourth pixel could be anything
    assert labels.tolist() == [1, 3, 2]
    assert torch.equal(kept[:, 0], pixels[:, [1, 2, 4]])


def test_only_the_biases_of_a_head_change(scene, balanced):
    plain = balanced.method.adapt(scene.query).parameters
    own = balanced.adapt(scene.query).parameters
    assert torch.equal(own["novel_weight"], plain["novel_weight"])
    added = torch.cat([own[n] - plain[n] for n in ("base_bias", "novel_bias")])
    torch.testing.assert_close(added, balanced.biases)
    assert float(balanced.biases.abs().max()) > 0.01


def test_a_copy_is_fitted_by_itself_and_the_same(scene, balanced):
    before = balanced.biases.clone()
    other = copy(balanced)
    other.fit_support(scene.snapshot, scene.support)
    assert torch.equal(other.biases, before)
    assert other.method is not balanced.method


def test_one_tile_a_class_or_labels_of_new_classes_alone_change_nothing(scene):
    single = SupportPixels(
        [scene.features[i] for i in (0, 2)], [scene.labels[i] for i in (0, 2)], BASE, NOVEL
    )
    drawn = [torch.where(label == 0, IGNORE, label) for label in scene.labels]
    for support in (single, SupportPixels(scene.features, drawn, BASE, NOVEL)):
        method = BalancedMethod(Ridge())
        method.fit_support(scene.snapshot, support)
        assert not method.biases.any()


def test_the_pixels_of_tiles_and_those_without_them_are_all_pixels(scene):
    pixels, labels = scene.support.pixels_of([1, 2])
    assert pixels.shape[1] + scene.support.without([1, 2]).num_labelled == (
        scene.support.num_labelled
    )
    for label in labels.unique().tolist():
        expected = torch.cat(
            [scene.features[i].flatten(1)[:, scene.labels[i].flatten() == label] for i in (1, 2)],
            dim=1,
        )
        assert torch.equal(pixels[:, labels == label], expected)


def test_refinements_stand_one_on_the_other_and_queries_rule_balance_out():
    plain = Ridge()
    assert refined(plain, None, balance=False, complete=False) is plain
    both = refined(plain, Transduction(entropy=0, kl=0), balance=True, complete=True)
    assert isinstance(both, CompleteMethod)
    assert isinstance(both.method, BalancedMethod)
    with pytest.raises(ConfigError, match="transduction=none"):
        refined(plain, Transduction(entropy=1.0), balance=True, complete=False)
