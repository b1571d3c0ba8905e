"""OpenCV's nearest neighbour, by hand."""

import pytest
import torch

from terrashot.data.nearest import opencv_nearest
from terrashot.data.transforms import EvalTransform


@pytest.mark.parametrize(
    ("old", "new", "indices"),
    [
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (6, 3, [0, 2, 4]),  # the centres would be 1, 3, 5
        (5, 3, [0, 1, 3]),  # x * 5 / 3 rounded down
        (4, 7, [0, 0, 1, 1, 2, 2, 3]),
        (4, 4, [0, 1, 2, 3]),
    ],
)
def test_a_pixel_is_taken_from_the_index_rounded_down(old, new, indices):
    row = torch.arange(old, dtype=torch.uint8)
    wide = opencv_nearest(row.expand(2, old), (2, new))
    assert wide.tolist() == [indices, indices]
    high = opencv_nearest(row[:, None].expand(old, 3), (new, 3))
    assert high[:, 0].tolist() == indices


def test_labels_of_the_tile_of_406_x_439_fill_947_x_1024():
    label = torch.arange(406, dtype=torch.uint8)[:, None].expand(406, 439) % 250
    large = EvalTransform(1024, "opencv").mask(label)
    assert large.shape == (1024, 1024)
    assert (large[947:] == 255).all()
    # Row 2 lies at 2 * 406 / 947 = 0.86, row 3 at 1.29; by their centres it would be 1 and 1.
    assert large[:4, 0].tolist() == [0, 0, 0, 1]
    assert EvalTransform(1024).mask(label)[:4, 0].tolist() == [0, 0, 1, 1]
