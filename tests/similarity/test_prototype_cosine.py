"""The cosine estimator's modes and normalisers."""

import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.similarity.estimator import FeatureBank
from terrashot.similarity.prototype_cosine import PrototypeCosine


def bank_of(*classes):
    """A bank of the pixels ``[n, C]`` of each class, read in blocks of two."""
    pixels = [torch.tensor(c, dtype=torch.float64) for c in classes]
    return FeatureBank(
        torch.stack([p.sum(dim=0) for p in pixels]),
        torch.tensor([len(p) for p in pixels]),
        sum(len(p) for p in pixels),
        pixels=lambda index: [block.T for block in pixels[index].split(2)],
    )


BASE = bank_of([[1, 0]], [[1, 1]])
NOVEL = bank_of([[1, 0]], [[0, 2]])


def estimate(base=BASE, novel=NOVEL, **options):
    return PrototypeCosine(**{"centre": False, **options}).estimate(base, novel)


@pytest.mark.parametrize("mode", ["prototype", "pixel"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"normaliser": "none"}, [[1, 0], [0.707107, 0.707107]]),
        ({"normaliser": "relu_l1"}, [[0.585786, 0], [0.414214, 1]]),
        ({"temperature": 0.1}, [[0.949258, 0.000849], [0.050742, 0.999151]]),
    ],
)
def test_sg_one_t05_columns_by_normaliser(mode, options, expected):
    found = estimate(mode=mode, **options)  # one pixel a class: both modes agree
    torch.testing.assert_close(found, torch.tensor(expected).double(), atol=1e-6, rtol=0)


def test_sg_one_t06_scattered_pixels_resemble_less_than_their_mean():
    base, novel = bank_of([[1, 1]]), bank_of([[1, 0], [0, 1]])
    prototype = estimate(base, novel, normaliser="none")
    pixel = estimate(base, novel, normaliser="none", mode="pixel")
    assert float(prototype) == pytest.approx(1.0)
    assert float(pixel) == pytest.approx(0.707107, abs=1e-6)


@pytest.mark.parametrize("centre", [True, False])
def test_pixel_mode_equals_loops_and_is_free_of_scale(centre):
    generator = torch.Generator().manual_seed(0)
    base, novel = (
        bank_of(*(torch.rand(n, 4, generator=generator).tolist() for n in sizes))
        for sizes in ([3, 5, 2], [7, 4])
    )
    means = torch.cat([base.means, novel.means])
    middle = means.mean(dim=0) if centre else torch.zeros(4, dtype=torch.float64)
    expected = torch.zeros(3, 2, dtype=torch.float64)
    for column in range(2):
        pixels = torch.cat([block.T for block in novel.pixels_of(column)])
        for row in range(3):
            cosines = torch.cosine_similarity(pixels - middle, base.means[row] - middle, dim=1)
            expected[row, column] = cosines.mean()
    options = {"mode": "pixel", "normaliser": "none", "centre": centre}
    torch.testing.assert_close(estimate(base, novel, **options), expected)
    gain = torch.full((4,), 1e-3, dtype=torch.float64)
    scaled = estimate(base.scaled(gain), novel.scaled(1e-3), **options)
    torch.testing.assert_close(scaled, expected)


def test_a_class_unlike_all_others_is_spread_evenly():
    opposite = bank_of([[-1, -1]])
    assert estimate(novel=opposite, normaliser="relu_l1").flatten().tolist() == [0.5, 0.5]


def test_unknown_choices_are_refused():
    with pytest.raises(ConfigError, match=r"similarity.mode is 'dense'.*prototype, pixel"):
        PrototypeCosine(mode="dense")
    with pytest.raises(ConfigError, match=r"similarity.normaliser is 'l2'.*relu_l1"):
        PrototypeCosine(normaliser="l2")
