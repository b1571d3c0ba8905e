import torch

from terrashot.adaptation.temperature import Calibration
from terrashot.app.tasks.evaluation_results import calibration_line, calibration_result


def test_what_results_say_of_confidence_and_accuracy():
    plain = torch.tensor([[0.0, 0, 0], [4, 3.0, 1], [6, 5.4, 6]])  # |3 - 1| + |5.4 - 6| of 10
    calibrated = torch.tensor([[10.0, 7.1, 7], [0, 0, 0], [0, 0, 0]])
    known = Calibration(1.5, "4 tiles")
    found = calibration_result(torch.stack([plain, calibrated]), known)
    assert (found["temperature"], found["how"]) == (1.5, "4 tiles")
    assert found["plain"] == {"ece": 0.26, "bins": [[4, 0.75, 0.25], [6, 0.9, 1.0]]}
    assert found["calibrated"] == {"ece": 0.01, "bins": [[10, 0.71, 0.7]]}
    line = calibration_line(found)
    assert "26.0 % as it comes, 1.0 % calibrated" in line


def test_stage_2_has_no_temperature_and_no_pixel_no_error():
    alone = calibration_result(torch.tensor([[[10.0, 8.0, 7.0]]]), None)
    assert set(alone) == {"plain"}
    assert calibration_line(alone).endswith("confidence: 10.0 %")
    empty = calibration_result(torch.zeros(1, 15, 3), None)
    assert empty["plain"] == {"ece": None, "bins": []}
    assert "no labelled pixel" in calibration_line(empty)
