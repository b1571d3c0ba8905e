import math

import pytest
import torch

from terrashot.evaluation.calibration import expected_calibration_error, reliability


def test_the_error_by_hand():
    """5 bins; (0.6, 0.8]: 0.7 and 0.78, one right; (0.8, 1]: 0.9 and 1, both right; 0.15 wrong.

    |0.74 - 0.5| 2/5 + |0.95 - 1| 2/5 + |0.15 - 0| 1/5 = 0.096 + 0.02 + 0.03
    """
    confidence = torch.tensor([0.7, 0.78, 0.9, 1.0, 0.15])
    correct = torch.tensor([True, False, True, True, False])
    counts = reliability(confidence, correct, bins=5)
    assert counts[:, 0].tolist() == [1, 0, 0, 2, 2]
    assert counts[:, 2].tolist() == [0, 0, 0, 1, 2]
    assert expected_calibration_error(counts) == pytest.approx(0.146, abs=1e-6)


def test_tiles_add_up():
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(999, generator=generator)
    correct = torch.rand(999, generator=generator) < confidence
    parts = sum(
        reliability(confidence[i : i + 333], correct[i : i + 333]) for i in range(0, 999, 333)
    )
    torch.testing.assert_close(parts, reliability(confidence, correct))
    assert expected_calibration_error(parts) < 0.1


def test_without_a_pixel_there_is_no_error():
    counts = reliability(torch.empty(0), torch.empty(0, dtype=torch.bool))
    assert math.isnan(expected_calibration_error(counts))
