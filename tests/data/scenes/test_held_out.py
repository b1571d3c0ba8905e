"""What is validated on: each class there, none taken out of training."""

import numpy as np
import pytest

from terrashot.data.scenes.held_out import hold_out

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_each_class_keeps_its_share_and_something_to_train_on(share):
    shown = RNG.random((200, 4)) < np.array([0.9, 0.4, 0.1, 0.03])
    held = hold_out(shown, share)
    for index in range(4):
        cells = shown[:, index].sum()
        assert shown[held, index].sum() >= max(1, round(share * cells))
        assert shown[~held, index].any()
    # The rarest come first, so the common classes are not held out far beyond their share.
    assert held.mean() < share + 0.1


def test_a_class_in_one_cell_is_trained_on():
    shown = np.array([[True, True], [True, False], [True, False]])
    held = hold_out(shown, 0.5)
    assert not held[0]
    assert held.sum() == 2
    assert hold_out(np.array([[True]]), 0.5).tolist() == [False]


def test_the_same_cells_are_held_out_each_time():
    shown = RNG.random((50, 2)) < 0.5
    assert (hold_out(shown, 0.2) == hold_out(shown, 0.2)).all()
