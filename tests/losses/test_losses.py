import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from terrashot.errors import ConfigError
from terrashot.losses.ce_dice import CrossEntropyDice
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.focal import Focal
from terrashot.losses.ldam import LDAM
from terrashot.losses.ldam_paper import PaperLDAM

COUNTS = torch.tensor([1000.0, 100.0, 10.0, 0.0])


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 4, 5, 6, generator=generator, dtype=torch.float64) * 3
    target = torch.randint(0, 3, (2, 5, 6), generator=generator)  # class 3 is absent
    target[0, :2] = 255
    return logits, target


def pixels(logits, target):
    """(list of K logits, label) of each labelled pixel: the naive way through a batch."""
    for b, i, j in np.ndindex(*target.shape):
        if target[b, i, j] != 255:
            yield logits[b, :, i, j].tolist(), int(target[b, i, j])


def log_softmax(values):
    top = max(values)
    total = math.log(sum(math.exp(v - top) for v in values)) + top
    return [v - total for v in values]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_equals_a_naive_loop(smoothing):
    logits, target = batch()
    naive = mean(
        -(1 - smoothing) * log_softmax(z)[y] - smoothing * mean(log_softmax(z))
        for z, y in pixels(logits, target)
    )
    assert CrossEntropy(smoothing)(logits, target).item() == pytest.approx(naive)


def test_ce_dice_equals_a_naive_loop():
    logits, target = batch()
    rows = [([math.exp(v) for v in log_softmax(z)], y) for z, y in pixels(logits, target)]
    dice = 0.0
    for k in range(4):
        overlap = sum(p[k] for p, y in rows if y == k)
        size = sum(p[k] for p, _ in rows) + sum(y == k for _, y in rows)
        if any(y == k for _, y in rows):
            dice += (1 - 2 * overlap / size) / 4
    expected = CrossEntropy(0.1)(logits, target).item() + 2 * dice
    found = CrossEntropyDice(dice_weight=2.0)(logits, target).item()
    assert found == pytest.approx(expected, rel=1e-6)  # the Dice part runs in float32


def test_focal_equals_a_naive_loop():
    logits, target = batch()
    naive = mean(
        -0.5 * (1 - math.exp(log_softmax(z)[y])) ** 2 * log_softmax(z)[y]
        for z, y in pixels(logits, target)
    )
    assert Focal(gamma=2.0, alpha=0.5)(logits, target).item() == pytest.approx(naive)
    plain = CrossEntropy()(logits, target).item()
    assert Focal(gamma=0.0)(logits, target).item() == pytest.approx(plain)


def test_ldam_equals_a_naive_loop():
    logits, target = batch()
    loss = LDAM(max_margin=2.0, scale=3.0)
    loss.set_counts(COUNTS)
    margins = [2.0 * (10 / n) ** 0.25 if n else 0.0 for n in COUNTS.tolist()]

    def lowered(z, y):
        return [3.0 * (v - (margins[y] if k == y else 0.0)) for k, v in enumerate(z)]

    naive = mean(-log_softmax(lowered(z, y))[y] for z, y in pixels(logits, target))
    assert loss(logits, target).item() == pytest.approx(naive)


def test_ldam_margins_start_at_their_epoch():
    logits, target = batch()
    loss = LDAM(start_epoch=2)
    loss.set_counts(COUNTS)
    plain = CrossEntropy()(logits, target).item()
    assert loss(logits, target).item() == pytest.approx(plain)
    loss.set_epoch(2)
    assert loss(logits, target).item() > plain


@pytest.mark.parametrize("loss", [CrossEntropy(0.1), Focal(), LDAM(), CrossEntropyDice()])
def test_gradients_equal_finite_differences(loss):
    if isinstance(loss, LDAM):
        loss.set_counts(COUNTS)
    logits, target = batch()
    tolerance = 1e-3 if isinstance(loss, CrossEntropyDice) else 1e-5  # float32 inside
    logits = logits.requires_grad_()
    loss(logits, target).backward()
    step, index = 1e-2 if isinstance(loss, CrossEntropyDice) else 1e-6, (1, 2, 3, 4)
    with torch.no_grad():
        moved = []
        for sign in (1, -1):
            shifted = logits.detach().clone()
            shifted[index] += sign * step
            moved.append(loss(shifted, target).item())
    slope = (moved[0] - moved[1]) / (2 * step)
    assert logits.grad[index].item() == pytest.approx(slope, abs=tolerance)


@pytest.mark.parametrize("loss", [CrossEntropy(0.1), Focal(), LDAM(), CrossEntropyDice()])
def test_ignored_pixels_have_no_say_and_an_unlabelled_batch_is_zero(loss):
    if isinstance(loss, LDAM):
        loss.set_counts(COUNTS)
    logits, target = batch()
    other = logits.clone()
    other[0, :, :2] = 50.0 * torch.randn(4, 2, 6, dtype=torch.float64)
    assert loss(other, target).item() == pytest.approx(loss(logits, target).item())
    empty = loss(logits.requires_grad_(), torch.full_like(target, 255))
    empty.backward()
    assert empty.item() == 0.0
    assert logits.grad.abs().max() == 0.0


def test_ldam_without_counts_or_with_foreign_ones_is_an_error():
    logits, target = batch()
    with pytest.raises(ConfigError, match="no classes"):
        LDAM()(logits, target)
    loss = LDAM()
    loss.set_counts(COUNTS[:3])
    with pytest.raises(ConfigError, match="4 outputs"):
        loss(logits, target)
    with pytest.raises(ConfigError, match="at least one class"):
        loss.set_counts(torch.zeros(4))


def test_ldam_keeps_checkpoints_free_of_counts():
    loss = LDAM()
    loss.set_counts(COUNTS)
    assert loss.state_dict() == {}


def test_support_margins_fold_the_background_and_skip_classes_that_are_no_label():
    support = torch.tensor([800.0, 0.0, 0.0, 100.0, 100.0])
    margins, folded = LDAM(base_count_scale=0.0).support_margins(None, support, 3)
    assert margins[3] == margins[4] == 6.0
    assert margins[1] == margins[2] == 0.0
    assert folded.tolist() == pytest.approx([6.0 * (100 / 800) ** 0.25] * 3)
    # Training labels count as much as the support set, whatever their own number is.
    for factor in (1.0, 1000.0):
        base = torch.tensor([500.0, 300.0, 200.0]) * factor
        _, folded = LDAM().support_margins(base, support, 3)
        assert folded.tolist() == pytest.approx([6.0 * (100 / 1800) ** 0.25] * 3)


def paper_loss(repository: Path) -> PaperLDAM:
    config = yaml.safe_load((repository / "configs/loss/ldam_paper.yaml").read_text())
    assert config.pop("_target_") == "terrashot.losses.ldam_paper.PaperLDAM"
    return PaperLDAM(**config)


def test_golden_margins_come_from_the_published_counts(repository):
    golden = np.load(repository / "tests/golden/classtrans_full.npz")["ldam_margins"]
    margins, folded = paper_loss(repository).support_margins(None, torch.ones(12), 8)
    assert np.abs(margins.numpy() - golden).max() < 2e-6  # published in float32
    assert folded[0] == margins[0]
    assert folded[1:].abs().max() == 0


def test_paper_margins_on_another_dataset_come_from_labels_and_say_so(repository):
    support = torch.tensor([800.0, 0.0, 0.0, 150.0, 50.0])
    with pytest.warns(UserWarning, match="3 and 2"):
        margins, folded = paper_loss(repository).support_margins(
            torch.tensor([5e6, 3e6, 2e6]), support, 3
        )
    counts = torch.tensor([500 - 200 + 500, 300, 200, 150, 50.0])
    assert margins.tolist() == pytest.approx((6 * (50 / counts) ** 0.25).tolist())
    assert folded.tolist() == pytest.approx([margins[0].item(), 0, 0])
