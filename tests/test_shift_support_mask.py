"""The study script that shifts support masks."""

import importlib.util
import sys

import numpy as np
import pytest

from terrashot.data.layout import FewShotLayout
from terrashot.data.reading import read_label
from terrashot.errors import DataError


@pytest.fixture(scope="module")
def script(repository):
    path = repository / "scripts" / "shift_support_mask.py"
    spec = importlib.util.spec_from_file_location("shift_support_mask", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_mask_moves_and_nothing_else_does(script):
    label = np.zeros((10, 12), dtype=np.uint8)
    label[2:5, 3:6] = 4
    label[:, 8] = 255
    moved = script.moved_mask(label, 4, 4, "right")
    expected = np.zeros_like(label)
    expected[2:5, 7:10] = 4
    expected[:, 8] = 255
    assert np.array_equal(moved, expected)
    up = script.moved_mask(label, 4, 3, "up")
    assert (up == 4).sum() == 2 * 3
    assert np.array_equal(np.argwhere(up == 4).min(axis=0), [0, 3])


def test_the_copy_has_one_shifted_mask_a_class_and_links_for_the_rest(script, shared, tmp_path):
    root, output = shared / "data" / "dubai", tmp_path / "copy"
    found = script.shift(root, output, 64, 0, "test")
    assert set(found) == {4, 5}
    before, after = (FewShotLayout(r, "test").support for r in (root, output))
    for class_id, (name, _, still_right) in found.items():
        assert still_right < 1
        for old, new in zip(before[class_id], after[class_id], strict=True):
            same = np.array_equal(read_label(old.label), read_label(new.label))
            assert same == (old.name != name)
            assert new.image.resolve() == old.image.resolve()
    with pytest.raises(DataError, match="exists already"):
        script.shift(root, output, 64, 0, "test")
    with pytest.raises(DataError, match="--pixels"):
        script.shift(root, tmp_path / "far", 4096, 0, "test")
