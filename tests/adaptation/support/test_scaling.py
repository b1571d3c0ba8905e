import pytest
import torch

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import standardised
from terrashot.errors import DataError


def support(features, parts=None):
    label = torch.zeros(features.shape[1:], dtype=torch.int64)
    label[0] = 2
    return SupportPixels([features], [label], num_base=2, num_novel=1, parts=parts)


def scaled(found, features):
    return (features.flatten(1) - found.mean[:, None]) * found.factor[:, None]


def test_each_channel_has_mean_0_and_deviation_1():
    features = torch.randn(5, 8, 8) * torch.tensor([1, 10, 100, 0.1, 3.0]).view(-1, 1, 1) + 7
    values = scaled(standardised(support(features)), features)
    torch.testing.assert_close(values.mean(dim=1), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.std(dim=1, correction=0), torch.ones(5), atol=1e-4, rtol=0)


def test_each_part_varies_as_much_as_the_first():
    # Of 2, 8 and 1 channels, at scales that have nothing to do with each other.
    scale = torch.cat([torch.full((2,), 5.0), torch.full((8,), 1e-6), torch.full((1,), 1e4)])
    features = torch.randn(11, 8, 8) * scale.view(-1, 1, 1)
    values = scaled(standardised(support(features, (2, 8, 1))), features)
    spread = [float(part.var(dim=1, correction=0).sum()) for part in values.split([2, 8, 1])]
    assert spread == pytest.approx([2.0, 2.0, 2.0], rel=1e-3)


def test_a_part_that_does_nothing_stays_finite():
    features = torch.randn(4, 8, 8)
    features[2:] = 3.0
    values = scaled(standardised(support(features, (2, 2))), features)
    assert bool(torch.isfinite(values).all())
    assert float(values[2:].abs().max()) < 1e-3


def test_parts_that_are_not_all_channels_are_refused():
    with pytest.raises(DataError, match="4 channels, but their parts 2, 3 sum to 5"):
        support(torch.randn(4, 8, 8), (2, 3))
