import pytest
import torch

from terrashot.adaptation.pooling import pool_pixels
from terrashot.errors import DataError


def tile(value, side, valid=True):
    return torch.full((3, side, side), float(value)), torch.full((side, side), valid)


def test_pixels_are_drawn_evenly_from_the_valid_ones():
    hidden = tile(9, 8)
    hidden[1][:4] = False
    hidden[0][:, :4] = -1  # never drawn
    pooled = pool_pixels([tile(1, 20), hidden, tile(5, 2)], count=3, pixels=60)
    values, counts = pooled[0, 0].unique(return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {1.0: 20, 9.0: 20, 5.0: 4}
    assert pooled.shape == (3, 1, 44)


def test_no_more_pixels_than_asked_for():
    assert pool_pixels([tile(1, 8), tile(2, 8)], count=2, pixels=5).shape == (3, 1, 5)


def test_windows_without_content_are_refused():
    with pytest.raises(DataError, match="image content"):
        pool_pixels([tile(0, 4, valid=False)], count=1, pixels=5)
