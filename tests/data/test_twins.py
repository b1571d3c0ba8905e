"""The same picture is found under another name, in another folder, in another format."""

import json
import shutil

import numpy as np
import pytest
import rasterio

from terrashot.data.layout import FewShotLayout
from terrashot.data.twins import repeated_support, support_in_queries, twins


def image_of(root, folder, name, suffix=".tif"):
    return root / folder / "images" / f"{name}{suffix}"


def change_lists(root, change):
    path = root / "test.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def names(pairs):
    return [(one.name, other.name) for one, other in pairs]


def test_tiles_that_are_kept_apart_have_no_twins(dataset):
    layout = FewShotLayout(dataset, "test")
    assert support_in_queries(layout) == []
    assert repeated_support(layout) == []
    assert twins(layout.train, layout.stage1_val) == []


def test_a_name_on_both_lists_is_found(dataset):
    change_lists(dataset, lambda value: value["query_set"].append("five_1.tif"))
    assert names(support_in_queries(FewShotLayout(dataset, "test"))) == [("five_1", "five_1")]


def test_the_same_name_with_another_suffix_is_found(dataset):
    change_lists(dataset, lambda value: value["query_set"].append("five_1.png"))
    assert names(support_in_queries(FewShotLayout(dataset, "test"))) == [("five_1", "five_1")]


def test_a_copy_under_another_name_is_found(dataset):
    shutil.copy(image_of(dataset, "testset", "four_0"), image_of(dataset, "testset", "query_2"))
    assert names(support_in_queries(FewShotLayout(dataset, "test"))) == [("four_0", "query_2")]


def test_the_same_pixels_in_another_format_are_found(dataset, write_raster):
    image = rasterio.open(image_of(dataset, "testset", "four_0")).read()
    image_of(dataset, "testset", "query_2").unlink()
    write_raster(image_of(dataset, "testset", "query_2", ".png"), image)
    assert names(support_in_queries(FewShotLayout(dataset, "test"))) == [("four_0", "query_2")]


def test_pictures_that_differ_in_their_last_pixel_are_no_twins(dataset, write_raster):
    image = rasterio.open(image_of(dataset, "testset", "four_0")).read()
    image[:, -1, -1] ^= 255
    write_raster(image_of(dataset, "testset", "query_2"), image)
    assert support_in_queries(FewShotLayout(dataset, "test")) == []


def test_pictures_of_one_value_are_no_twins(dataset, write_raster):
    for name in ("four_0", "query_2"):
        write_raster(image_of(dataset, "testset", name), np.zeros((3, 48, 48), np.uint8))
    assert support_in_queries(FewShotLayout(dataset, "test")) == []


def test_a_damaged_picture_has_no_twins(dataset):
    for name in ("four_0", "query_2"):
        image_of(dataset, "testset", name).write_bytes(b"nothing")
    assert support_in_queries(FewShotLayout(dataset, "test")) == []


def test_without_query_labels_nothing_is_scored_and_nothing_found(dataset):
    change_lists(dataset, lambda value: value["query_set"].append("five_1.tif"))
    shutil.copy(image_of(dataset, "testset", "five_1"), image_of(dataset, "testset", "query_0"))
    for number in range(5):
        (dataset / "testset/labels" / f"query_{number}.tif").unlink()
    change_lists(dataset, lambda value: value["query_set"].remove("five_1.tif"))
    assert support_in_queries(FewShotLayout(dataset, "test")) == []


@pytest.mark.parametrize(("source", "found"), [("four_1", [4]), ("five_0", [])])
def test_a_support_tile_counts_twice_within_its_class_alone(dataset, source, found):
    """One picture may well be labelled for two classes."""
    shutil.copy(image_of(dataset, "testset", source), image_of(dataset, "testset", "four_0"))
    assert [i for i, _, _ in repeated_support(FewShotLayout(dataset, "test"))] == found
