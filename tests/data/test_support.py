"""The support set: order, and an error for each tile that cannot teach its class."""

import numpy as np
import pytest

from terrashot.data.layout import FewShotLayout
from terrashot.data.support import SupportSet
from terrashot.data.transforms import EvalTransform
from terrashot.errors import DataError


def test_samples_come_by_class_with_their_class_id(dataset, taxonomy):
    support = SupportSet(FewShotLayout(dataset, "test").support, taxonomy)
    samples = list(support)
    assert [s["name"] for s in samples] == ["four_0", "four_1", "five_0", "five_1"]
    assert [s["class_id"] for s in samples] == [4, 4, 5, 5]
    for sample in samples:
        assert set(sample["mask"].unique().tolist()) <= {0, sample["class_id"], 255}


def test_support_tiles_are_transformed(dataset, taxonomy):
    support = SupportSet(FewShotLayout(dataset, "test").support, taxonomy, EvalTransform(96))
    assert support[0]["image"].shape == (3, 96, 96)
    assert support[0]["mask"].shape == (96, 96)


def test_a_tile_without_its_class_is_named_with_the_class(dataset, taxonomy, write_raster):
    write_raster(dataset / "testset/labels/five_1.tif", np.zeros((48, 48), np.uint8))
    with pytest.raises(DataError, match=r"five_1\.tif was chosen for class 5 'hall' but has no"):
        SupportSet(FewShotLayout(dataset, "test").support, taxonomy)


@pytest.mark.parametrize(("other", "name"), [(2, "field"), (4, "parking")])
def test_another_class_in_a_support_tile_is_not_folded_away(
    dataset, taxonomy, write_raster, other, name
):
    label = np.full((48, 48), 5, np.uint8)
    label[0, :6] = other
    write_raster(dataset / "testset/labels/five_0.tif", label)
    with pytest.raises(DataError, match=rf"five_0\.tif.*{other} '{name}' \(6 pixels\).*to 0"):
        SupportSet(FewShotLayout(dataset, "test").support, taxonomy)


def test_a_novel_class_without_tiles_is_named(dataset, taxonomy):
    tiles = FewShotLayout(dataset, "test").support
    with pytest.raises(DataError, match=r"no tile for the novel class 5 'hall'"):
        SupportSet({4: tiles[4]}, taxonomy)
