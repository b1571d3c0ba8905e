import itertools

import numpy as np
import pytest

from terrashot.errors import ConfigError
from terrashot.mapping.plan import Axis, check_window


@pytest.mark.parametrize("length", [1, 31, 64, 65, 96, 127, 250, 500, 1024, 5000])
@pytest.mark.parametrize(("window", "overlap"), [(64, 0), (64, 32), (96, 32), (128, 64)])
def test_windows_cover_a_scene_evenly_with_the_overlap_asked_for(length, window, overlap):
    axis = Axis.plan(length, window, overlap)
    assert axis.starts[0] == 0
    assert axis.starts[-1] + axis.size >= length
    assert axis.starts[-1] + axis.size - length < 32  # less than the stride is mirrored
    steps = np.diff(axis.starts)
    assert (steps > 0).all()
    assert (axis.size - steps >= overlap).all()
    assert all(start % 32 == 0 for start in axis.starts)
    if len(steps):
        assert steps.max() - steps.min() <= 32


def test_the_weights_of_all_windows_sum_to_one_in_every_pixel():
    axis = Axis.plan(1000, 256, 64)
    total = np.zeros(axis.starts[-1] + axis.size)
    for start, weight in zip(axis.starts, axis.weights, strict=True):
        total[start : start + axis.size] += weight
        assert weight.min() >= 0
    np.testing.assert_allclose(total[:1000], 1, atol=1e-6)


def test_a_window_counts_less_towards_its_border_where_another_one_is():
    axis = Axis.plan(1000, 256, 64)
    middle = axis.weights[2]
    assert middle[0] < 0.001
    assert middle[128] == 1
    assert axis.weights[0][0] == 1  # nobody else knows the scene's border


def test_finished_pixels_follow_each_other_without_a_gap():
    axis = Axis.plan(1000, 256, 64)
    parts = [axis.finished(i) for i in range(len(axis))]
    assert parts[0][0] == 0
    assert parts[-1][1] == 1000
    assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))


def test_the_first_window_that_touches_is_found_where_three_overlap():
    axis = Axis(200, 128, (0, 32, 64, 96))
    assert [axis.first_that_touches(i) for i in range(4)] == [0, 0, 0, 0]
    axis = Axis(300, 128, (0, 96, 192))
    assert [axis.first_that_touches(i) for i in range(3)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("window", "overlap"), [(100, 32), (0, 0), (128, 30), (128, 96), (64, -32)]
)
def test_windows_that_make_no_grid_are_refused(window, overlap):
    with pytest.raises(ConfigError, match="multiple of 32"):
        check_window(window, overlap)
