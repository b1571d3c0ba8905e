"""Each stage-2 loss against a loop over pixels."""

import math

import pytest
import torch

from terrashot.adaptation.methods.options import GradientOptions
from terrashot.adaptation.objective import query_losses
from terrashot.adaptation.objective.support_loss import SupportLoss, check_loss, make_support_loss
from terrashot.errors import ConfigError
from terrashot.losses.ce_dice import CrossEntropyDice
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.focal import Focal
from terrashot.losses.ldam import LDAM

BASE, CLASSES, PIXELS = 3, 5, 11


def logits(seed=0, pixels=PIXELS, classes=CLASSES):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(classes, pixels, generator=generator, dtype=torch.float64) * 2


def softmax(values):
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def columns(matrix):
    return [softmax(column) for column in matrix.T.tolist()]


def weights():
    raw = torch.arange(1, PIXELS + 1, dtype=torch.float64)
    return raw / raw.sum()


def test_entropy_equals_a_loop():
    z = logits()
    naive = sum(
        -w * sum(p * math.log(p) for p in pixel)
        for w, pixel in zip(weights().tolist(), columns(z), strict=True)
    )
    found = query_losses.entropy(z.softmax(dim=0), weights())
    assert found.item() == pytest.approx(naive, abs=1e-8)


def test_marginal_kl_equals_a_loop():
    z, pi = logits(), [0.1, 0.2, 0.3, 0.3, 0.1]
    share = [
        sum(w * pixel[k] for w, pixel in zip(weights().tolist(), columns(z), strict=True))
        for k in range(CLASSES)
    ]
    naive = sum(m * math.log(m / p) for m, p in zip(share, pi, strict=True))
    probabilities = z.softmax(dim=0)
    found = query_losses.marginal_kl(
        probabilities, weights(), torch.tensor(pi, dtype=torch.float64)
    )
    assert found.item() == pytest.approx(naive, abs=1e-8)
    own = query_losses.marginal(probabilities, weights())
    assert query_losses.marginal_kl(probabilities, weights(), own).abs().item() < 1e-9


def test_distillation_equals_a_loop():
    z, frozen = logits(), logits(1, classes=BASE)
    naive = 0.0
    for w, pixel, reference in zip(weights().tolist(), columns(z), columns(frozen), strict=True):
        folded = [pixel[0] + sum(pixel[BASE:]), *pixel[1:BASE]]
        naive += w * sum(p * math.log(p / r) for p, r in zip(folded, reference, strict=True))
    found = query_losses.distillation(z.softmax(dim=0), frozen.softmax(dim=0), weights())
    assert found.item() == pytest.approx(naive, abs=1e-8)


@pytest.mark.parametrize("label", range(CLASSES))
@pytest.mark.parametrize("support_label", ["folded", "partial"])
@pytest.mark.parametrize("base_labels", ["supervise", "constant"])
def test_a_rule_says_which_classes_a_label_allows(label, support_label, base_labels):
    loss = SupportLoss(BASE, CLASSES, 0.15, support_label=support_label, base_labels=base_labels)
    rule = loss.rule(label, tile_class=4)
    allowed = set(range(CLASSES)[rule.classes])
    allowed = set(range(CLASSES)) - allowed if rule.others else allowed
    if label == 0:
        assert allowed == ({0, 1, 2, 3} if support_label == "partial" else {0, 1, 2})
        assert rule.weight == 0.15
    else:
        assert allowed == {label}
        constant = base_labels == "constant" and label < BASE
        assert rule.weight == (0.0 if constant else 1.0)


def test_background_of_a_tile_without_a_class_is_any_base_class():
    rule = SupportLoss(BASE, CLASSES, 0.15, support_label="partial").rule(0, tile_class=None)
    assert (rule.classes, rule.others) == (slice(0, BASE), False)


def test_background_stands_for_the_novel_classes_that_a_label_allows():
    loss = SupportLoss(BASE, CLASSES, 0.15, support_label="partial", background_distillation=0.3)
    assert loss.rule(0, tile_class=4).background == (1, 0, 0, 1, 0)
    assert loss.rule(0, tile_class=None).background == (1, 0, 0, 0, 0)
    assert loss.rule(4, tile_class=4).distillation == 0


def test_novel_classes_may_count_less_than_background_behind_it():
    loss = SupportLoss(
        BASE, CLASSES, 0.15, support_label="partial",
        background_distillation=0.3, novel_in_background=0.5,
    )  # fmt: skip
    assert loss.rule(0, tile_class=4).background == (1, 0, 0, 0.5, 0)
    assert loss.rule(0, tile_class=None).background == (1, 0, 0, 0, 0)


def test_balanced_weights_grow_for_rare_classes_and_have_mean_one(scene):
    scene.labels[0][:9][scene.labels[0][:9] == 3] = 0
    support = scene.support
    loss = make_support_loss(
        CrossEntropy(), support, GradientOptions(class_balance=0.5, background_weight=1.0)
    )
    rare, usual = loss.novel_weights
    assert rare > usual > loss.background_weight
    ratio = int((torch.cat(scene.labels[2:]) == 0).sum()) / int(support.counts[4])
    assert usual / loss.background_weight == pytest.approx(ratio**0.5)
    weights = torch.tensor([loss.background_weight, 0, 0, rare, usual])
    assert float(weights @ support.counts.float()) == pytest.approx(support.num_labelled)


def test_margins_lower_the_own_logit_or_the_folded_ones():
    own, folded = torch.tensor([9.0, 1.0, 0.0, 2.0, 3.0]), torch.tensor([0.5, 0.25, 0.0])
    loss = SupportLoss(BASE, CLASSES, 0.15, margins=own, folded_margins=folded, margins_from=5)
    assert loss.rule(0, 3).margins.tolist() == [0.5, 0.25, 0, 0, 0]
    assert loss.rule(4, 4).margins.tolist() == [0, 0, 0, 0, 3]
    assert [loss.with_margins(i) for i in (4, 5)] == [False, True]


def test_query_losses_are_differentiated_correctly():
    pi, frozen = torch.full((CLASSES,), 0.2).double(), logits(1, classes=BASE).softmax(dim=0)

    def total(z):
        p = z.softmax(dim=0)
        return (
            query_losses.entropy(p, weights())
            + query_losses.marginal_kl(p, weights(), pi)
            + query_losses.distillation(p, frozen, weights())
        )

    assert torch.autograd.gradcheck(total, (logits().requires_grad_(),))


@pytest.mark.parametrize("loss", [None, Focal(), CrossEntropyDice(), CrossEntropy(0.1)])
def test_a_loss_that_cannot_be_folded_is_refused_and_the_others_named(loss):
    with pytest.raises(ConfigError, match=r"loss=ce .*loss=ldam and loss=ldam_paper"):
        check_loss(loss)


def test_cross_entropy_and_margins_are_accepted():
    check_loss(CrossEntropy())
    check_loss(LDAM())
