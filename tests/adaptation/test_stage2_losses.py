"""Each stage-2 loss against a loop over pixels."""

import math

import pytest
import torch

from terrashot.adaptation import query_losses
from terrashot.adaptation.support_loss import SupportLoss, check_loss
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


@pytest.mark.parametrize("iteration", [4, 5])
@pytest.mark.parametrize("base_labels", ["supervise", "constant"])
def test_support_loss_equals_a_loop(iteration, base_labels):
    z = logits()
    counts = [4, 2, 0, 3, 2]
    labels = [0] * 4 + [1] * 2 + [3] * 3 + [4] * 2
    own, folded = [0.0, 1.0, 0.0, 2.0, 3.0], [0.5, 0.25, 0.0]
    loss = SupportLoss(
        counts=counts,
        num_base=BASE,
        background_weight=0.15,
        base_labels=base_labels,
        margins=torch.tensor(own).double(),
        folded_margins=torch.tensor(folded).double(),
        scale=2.0,
        margins_from=5,
    )
    naive = 0.0
    for label, pixel in zip(labels, z.T.tolist(), strict=True):
        if iteration >= 5:
            if label == 0:
                pixel = [v - folded[k] if k < BASE else v for k, v in enumerate(pixel)]
            else:
                pixel = [v - own[k] if k == label else v for k, v in enumerate(pixel)]
            pixel = [2.0 * v for v in pixel]
        p = softmax(pixel)
        if label == 0:
            naive -= 0.15 * math.log(sum(p[:BASE]) + 1e-10) / PIXELS
        elif label < BASE and base_labels == "constant":
            naive -= math.log(1e-10) / PIXELS
        else:
            naive -= math.log(p[label] + 1e-10) / PIXELS
    assert loss(z, iteration).item() == pytest.approx(naive, abs=1e-12)


def test_a_constant_base_label_gives_no_gradient():
    z = logits(pixels=2).requires_grad_()
    counts = [0, 2, 0, 0, 0]
    SupportLoss(counts, BASE, 0.15, "supervise")(z, 0).backward()
    assert z.grad.abs().max() > 0.01
    constant = SupportLoss(counts, BASE, 0.15, "constant")(z, 0)
    assert not constant.requires_grad or torch.autograd.grad(constant, z)[0].abs().max() == 0


def test_losses_are_differentiated_correctly():
    pi, frozen = torch.full((CLASSES,), 0.2).double(), logits(1, classes=BASE).softmax(dim=0)
    loss = SupportLoss([4, 2, 0, 3, 2], BASE, 0.15, "supervise")

    def total(z):
        p = z.softmax(dim=0)
        return (
            loss(z, 0)
            + query_losses.entropy(p, weights())
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
