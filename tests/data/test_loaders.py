"""How many workers a loader gets."""

import pytest

from terrashot.data.loaders import default_workers


@pytest.mark.parametrize(
    ("cores", "gpu", "workers"),
    [(1, False, 0), (2, False, 0), (2, True, 1), (4, False, 3), (64, True, 8)],
)
def test_default_workers_suit_the_machine(cores, gpu, workers):
    assert default_workers(cores, gpu) == workers
