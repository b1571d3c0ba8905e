import math

import pytest
import torch

from terrashot.adaptation.temperature import (
    HIGHEST,
    LOWEST,
    Calibration,
    TemperatureFit,
    allowed_classes,
    tempered,
)


def drawn(classes: int, pixels: int, temperature: float, spread: float = 3.0):
    """Probabilities, and labels drawn from what they are at the given temperature."""
    generator = torch.Generator().manual_seed(3)
    logits = spread * torch.randn(classes, pixels, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(0).T, 1, generator=generator)[:, 0]
    return logits.softmax(dim=0), labels


def test_two_classes_have_the_temperature_that_can_be_worked_out():
    """All pixels say 0.9; with a share s of them right, T = log 9 / log(s / (1 - s))."""
    probabilities = torch.tensor([0.9, 0.1]).unsqueeze(1).expand(2, 1000)
    labels = (torch.arange(1000) >= 700).long()  # 70 % are of class 0
    fit = TemperatureFit()
    fit.add(probabilities, allowed_classes(labels, 2))
    expected = math.log(9) / math.log(7 / 3)
    assert fit.temperature == pytest.approx(expected, rel=4e-3)
    assert float(tempered(probabilities, fit.temperature)[0, 0]) == pytest.approx(0.7, abs=2e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    probabilities, labels = drawn(5, 60_000, temperature)
    fit = TemperatureFit()
    for part in range(4):  # tiles add up
        own = slice(part * 15_000, (part + 1) * 15_000)
        fit.add(probabilities[:, own], allowed_classes(labels[own], 5))
    assert fit.temperature == pytest.approx(temperature, rel=0.03)
    assert float(fit.sums[-1]) == 60_000


def test_labels_that_say_only_what_a_pixel_is_not_tell_it_too():
    probabilities, labels = drawn(4, 16_000, 2.0)
    mask = torch.where(labels == 3, 3, 0)  # 0: anything but class 3
    fit = TemperatureFit()
    fit.add(probabilities, allowed_classes(mask, 4, tile_class=3))
    assert fit.temperature == pytest.approx(2.0, rel=0.06)


def test_what_no_label_tells_is_left_out_and_bounds_hold():
    fit = TemperatureFit()
    probabilities = torch.tensor([[0.9, 0.9], [0.1, 0.1]])
    fit.add(probabilities, allowed_classes(torch.tensor([255, 255]), 2))
    assert fit.temperature is None
    fit.add(probabilities, allowed_classes(torch.tensor([0, 0]), 2))  # all right: 0 is asked for
    assert fit.temperature == pytest.approx(LOWEST)
    wrong = TemperatureFit()
    wrong.add(probabilities, allowed_classes(torch.tensor([1, 1]), 2))
    assert wrong.temperature == pytest.approx(HIGHEST)


def test_a_temperature_changes_no_class_and_zeros_stay_numbers():
    probabilities, _ = drawn(6, 500, 1.0)
    probabilities[:, 0] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    for temperature in (0.2, 1.7, 8.0):
        found = tempered(probabilities, temperature)
        assert torch.equal(found.argmax(dim=0), probabilities.argmax(dim=0))
        assert torch.allclose(found.sum(dim=0), torch.ones(500))
    assert torch.allclose(tempered(probabilities, 1.0), probabilities, atol=1e-6)
    logits = torch.randn(3, 7)
    assert torch.allclose(tempered(logits.softmax(0), 2.0), (logits / 2).softmax(0), atol=1e-6)


def test_a_calibration_comes_back_from_plain_values_and_says_what_it_is():
    for known in (Calibration(1.25, "3 tiles"), Calibration(None, "too few tiles")):
        assert Calibration.from_dict(known.to_dict()) == known
    assert Calibration(1.25, "3 tiles").describe() == (
        "calibrated with temperature 1.25, fitted to 3 tiles"
    )
    old = Calibration.from_dict(None)
    assert old.describe().startswith("not calibrated: ")
    probabilities, _ = drawn(3, 10, 1.0)
    assert old.apply(probabilities) is probabilities
    with pytest.raises(ValueError, match="temperature is -1"):
        Calibration.from_dict({"temperature": -1, "how": "?"})
