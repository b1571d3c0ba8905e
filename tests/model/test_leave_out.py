"""Calibration by left-out tiles, on a small network with random weights."""

import numpy as np
import pytest
import torch

import terrashot.model.leave_out as leave_out
from terrashot.adaptation.temperature import Calibration, TemperatureFit, allowed_classes
from terrashot.model.adapted_file import load_adapted_model
from terrashot.model.base_head import as_adapted
from terrashot.model.checkpoints import ADAPTED, read_checkpoint, write_checkpoint
from terrashot.model.model import Model

GENERATOR = np.random.default_rng(5)
IMAGES = [GENERATOR.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(5)]
MASK = np.zeros((64, 64), dtype=bool)
MASK[8:40, 16:56] = True


@pytest.fixture(scope="module")
def base(make_adapted) -> Model:
    model = make_adapted()
    return Model(as_adapted(model.segmenter, model.taxonomy.base_only()))


def test_each_tile_is_scored_by_a_head_that_has_not_seen_it(base):
    """The temperature is that of heads adapted by hand to the other tiles."""
    support = {"pool": [(IMAGES[0], MASK), (IMAGES[1], MASK.T)], "court": [(IMAGES[2], ~MASK)]}
    adapted = base.adapt(support, "ridge", calibrate=True)
    found = adapted.network.calibration
    assert found.how == "2 support tiles, each left out once"

    expected = TemperatureFit()
    for number, (image, mask) in enumerate(support["pool"]):
        others = {**support, "pool": [support["pool"][1 - number]]}
        head = base.adapt(others, "ridge", calibrate=False)
        known = allowed_classes(torch.from_numpy(mask).flatten() * 3, 5, tile_class=3)
        probabilities = torch.from_numpy(head.probabilities(image)).flatten(1)
        expected.add(probabilities, known)
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-3)


def test_the_head_and_the_classes_are_those_without_calibration(base):
    support = {"pool": [(IMAGES[0], MASK), (IMAGES[1], MASK.T)], "court": [(IMAGES[2], ~MASK)]}
    with_it, without = (base.adapt(support, calibrate=flag) for flag in (True, False))
    for name, tensor in without.network.head.state_dict().items():
        assert torch.equal(tensor, with_it.network.head.state_dict()[name])
    image = IMAGES[3]
    np.testing.assert_array_equal(with_it.predict(image), without.predict(image))
    found = with_it.probabilities(image)
    np.testing.assert_array_equal(found.argmax(0), without.predict(image))
    temperature = with_it.network.calibration.temperature
    powered = without.probabilities(image) ** (1 / temperature)
    np.testing.assert_allclose(found, powered / powered.sum(0), atol=1e-5)
    assert "confidence calibrated with temperature" in repr(with_it)
    assert without.calibration == "not calibrated: calibrate=False"


def test_one_tile_a_class_is_not_calibrated_and_says_so(base):
    adapted = base.adapt({"pool": [(IMAGES[0], MASK)]}, "imprinting", calibrate=True)
    assert adapted.network.calibration.temperature is None
    assert "single support tile" in adapted.calibration


def test_labels_that_show_no_place_without_the_class_calibrate_nothing(base):
    """As drawn polygons without completely labelled areas do."""
    ids = np.where(MASK, 1, 255).astype(np.uint8)
    adapted = base.adapt(
        {"pool": [(IMAGES[0], ids), (IMAGES[1], ids)]}, "imprinting", calibrate=True
    )
    assert "false alarms" in adapted.calibration


def test_a_fold_that_can_not_be_fitted_is_left_out(base, monkeypatch):
    from terrashot.errors import DataError
    from terrashot.model.support_fit import SupportFit

    own, calls = SupportFit.fit_other, []

    def fit_other(self, method, pixels):
        calls.append(pixels.num_tiles)
        if len(calls) == 2:  # the first fold
            raise DataError("degenerate")
        own(self, method, pixels)

    monkeypatch.setattr(SupportFit, "fit_other", fit_other)
    support = {"pool": [(IMAGES[0], MASK), (IMAGES[1], MASK), (IMAGES[2], MASK)]}
    adapted = base.adapt(support, "imprinting", calibrate=True)
    assert calls == [3, 2, 2, 2]
    assert adapted.network.calibration.how == "2 support tiles, each left out once"


def test_large_supports_are_thinned(base, monkeypatch):
    support = {"pool": [(IMAGES[0], MASK), (IMAGES[1], MASK), (IMAGES[2], MASK)]}
    whole = base.adapt(support, "ridge", calibrate=True).network.calibration.temperature
    monkeypatch.setattr(leave_out, "_PIXELS", 256)
    thinned = base.adapt(support, "ridge", calibrate=True).network.calibration.temperature
    assert thinned != whole
    assert 0.2 < thinned / whole < 5


def test_a_file_keeps_it_and_an_older_one_says_that_it_has_none(base, tmp_path):
    support = {"pool": [(IMAGES[0], MASK), (IMAGES[1], MASK.T)]}
    adapted, path = base.adapt(support, "imprinting", calibrate=True), tmp_path / "adapted.ckpt"
    adapted.save(path)
    again = load_adapted_model(path)
    assert again.calibration == adapted.network.calibration
    header, state = read_checkpoint(path, ADAPTED)
    del header["calibration"]
    older = tmp_path / "older.ckpt"
    write_checkpoint(older, ADAPTED, header, state)
    assert load_adapted_model(older).calibration == Calibration()
