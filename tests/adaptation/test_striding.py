import pytest
import torch
from torch.nn import functional

from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.errors import ConfigError


def test_features_are_averaged_over_windows():
    features = torch.randn(3, 5, 6)
    reduced = reduce_stride(features, 2)
    assert reduced.shape == (3, 3, 3)
    for i in range(3):
        for j in range(3):
            window = features[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]  # cut at the border
            assert torch.allclose(reduced[:, i, j], window.mean(dim=(1, 2)), atol=1e-6)
    assert reduce_stride(features, 1) is features


@pytest.mark.parametrize("size", [(3, 3), (5, 2), (13, 40), (7, 9)])
def test_labels_follow_the_nearest_neighbour_of_torch(size):
    labels = torch.randint(0, 256, (7, 9), dtype=torch.uint8)
    expected = functional.interpolate(labels[None, None].float(), size=size, mode="nearest")
    assert torch.equal(labels_to_size(labels, size).float(), expected[0, 0])
    assert labels_to_size(labels > 100, size).dtype == torch.bool


def test_a_factor_below_one_is_an_error():
    with pytest.raises(ConfigError, match="feature_stride"):
        reduce_stride(torch.zeros(1, 2, 2), 0)
