import shutil

import numpy as np
import pytest
import rasterio

from terrashot.data.checks.dataset import check_dataset
from terrashot.errors import DataError


def test_a_faultless_dataset_is_ok_and_summed_up(dataset):
    told = []
    report = check_dataset(
        dataset.root, dataset.taxonomy, 2, lambda done, total: told.append((done, total))
    )
    assert report.findings == []
    assert report.verdict == "OK"
    assert told[-1] == (9, 9)
    assert {role: s.tiles for role, s in report.splits.items()} == {
        "train": 2,
        "stage1_val": 1,
        "val support": 2,
        "val query": 1,
        "test support": 2,
        "test query": 1,
    }
    third = dataset.side**2 // 3
    assert report.splits["train"].counts[:5].tolist() == [2 * third, 2 * third, 2 * third, 0, 0]
    assert report.splits["test support"].counts[255] == third
    assert report.sizes == {"12x12": 9}
    assert report.crs == {"EPSG:32631": 9}
    assert report.pixel_sizes == {"0.5 m": 9}


def test_means_and_deviations_are_those_of_the_training_pixels_with_data(dataset):
    train = dataset.check().splits["train"]
    parts = [rasterio.open(dataset.image("trainset", name)).read() for name in ("t1", "t2")]
    pixels = np.concatenate(parts, axis=1).reshape(3, -1) / 255
    mean, std = train.statistics
    np.testing.assert_allclose(mean, pixels.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(std, pixels.std(axis=1), atol=1e-5)
    part = np.zeros((dataset.side, dataset.side), bool)
    part[:4] = True
    with rasterio.open(dataset.image("trainset", "t1"), "r+") as file:
        file.write_mask(part)
    kept = np.concatenate([parts[0][:, :4], parts[1]], axis=1).reshape(3, -1) / 255
    found = dataset.check().splits["train"].statistics
    np.testing.assert_allclose(found[0], kept.mean(axis=1), atol=1e-5)


def test_a_set_that_is_not_divided_lies_in_images_and_labels_of_its_root(dataset):
    for part in ("trainset", "valset", "testset"):
        for kind in ("images", "labels"):
            (dataset.root / kind).mkdir(exist_ok=True)
            for file in (dataset.root / part / kind).iterdir():
                file.rename(dataset.root / kind / file.name)
    report = dataset.check()
    assert report.findings == []
    assert report.splits["train"].labelled == 2
    dataset.relabel(".", "t1", [0, 1, 9])
    assert dataset.check().of("error")[0].subject == "labels/t1.tif"
    dataset.tile(".", "spare", [0, 1])
    assert dataset.check().of("warning")[0].subject == "images and labels"


def test_the_same_pixels_under_another_name_are_found(dataset, only):
    shutil.copy(dataset.image("trainset", "t1"), dataset.image("testset", "test_q"))
    finding = only(dataset.check(), "warning", "same image in two splits")
    assert finding.subject == "trainset/t1"
    assert "testset/test_q (test query)" in finding.message


def test_support_tiles_shared_by_val_and_test_are_fine(dataset):
    for kind in ("images", "labels"):
        folder = dataset.root / "testset" / kind
        shutil.copy(dataset.root / "valset" / kind / "val_p.tif", folder / "test_p.tif")
    assert dataset.check().verdict == "OK"


def test_tiles_on_no_list_are_a_warning(dataset, only):
    dataset.tile("valset", "spare", [0, 1])
    finding = only(dataset.check(), "warning", "unlisted tiles")
    assert finding.subject == "valset"
    assert "1 tile(s) on no list: spare" in finding.message


def test_withheld_query_labels_are_normal_but_a_part_of_them_is_not(dataset, only):
    dataset.label("testset", "test_q").unlink()
    report = dataset.check()
    assert report.verdict == "OK"
    assert [(f.kind, f.subject) for f in report.of("note")] == [("query labels", "test query")]
    dataset.tile("testset", "test_r", [0, 1, 2, 3, 4])
    value = dataset.json_value("test")
    dataset.json("test", value["support_set"], ["test_q.tif", "test_r.tif"])
    assert "1 of 2 query" in only(dataset.check(), "warning", "query labels").message


def test_a_base_class_that_training_never_shows_is_told(dataset, only):
    for name in ("t1", "t2"):
        dataset.relabel("trainset", name, [0, 1])
    finding = only(dataset.check(), "warning", "class without pixels")
    assert finding.subject == "train"
    assert "2 road" in finding.message


def test_a_root_that_is_no_folder_is_an_error(tmp_path, taxonomy):
    with pytest.raises(DataError, match="is no folder"):
        check_dataset(tmp_path / "nosuch", taxonomy)


def all_of(d, names, value, folder="trainset"):
    for name in names:
        d.relabel(folder, name, [value])


@pytest.mark.parametrize(
    ("names", "value", "role", "said"),
    [
        (("t1", "t2"), 255, "train", "stage 1 has nothing to learn"),
        (("t1", "t2"), 0, "train", "288 pixels of background alone"),
        (("v1",), 255, "stage1_val", "nothing to be validated on"),
    ],
)
def test_labels_that_teach_or_measure_nothing_are_an_error(dataset, names, value, role, said):
    all_of(dataset, names, value)
    (finding,) = dataset.check().of("error")
    assert (finding.kind, finding.subject) == ("nothing labelled", role)
    assert said in finding.message


def test_queries_without_a_labelled_pixel_are_a_warning(dataset, only):
    all_of(dataset, ["test_q"], 255, "testset")
    finding = only(dataset.check(), "warning", "nothing labelled")
    assert finding.subject == "test query"


def test_a_copy_of_a_support_tile_among_the_queries_is_an_error(dataset, only):
    shutil.copy(dataset.image("testset", "test_p"), dataset.image("testset", "test_q"))
    finding = only(dataset.check(), "error", "same image in two splits")
    assert "adapted to" in finding.message


def test_copies_of_training_tiles_are_a_warning(dataset):
    shutil.copy(dataset.image("trainset", "t1"), dataset.image("testset", "test_q"))
    shutil.copy(dataset.image("trainset", "t2"), dataset.image("trainset", "v1"))
    report = dataset.check()
    assert [f.kind for f in report.of("warning")] == ["same image in two splits"] * 2
    assert report.ok


def test_a_support_image_twice_in_a_class_is_a_shot_less(dataset, only):
    dataset.tile("testset", "test_r", [0, 3])
    shutil.copy(dataset.image("testset", "test_p"), dataset.image("testset", "test_r"))
    value = dataset.json_value("test")
    value["support_set"]["3"].append("test_r.tif")
    dataset.json("test", value["support_set"], value["query_set"])
    finding = only(dataset.check(), "warning", "same support image twice")
    assert "Class 3 has one shot less" in finding.message


def test_tiles_of_one_value_are_no_copies(dataset):
    for folder, name in (("trainset", "t1"), ("testset", "test_q"), ("testset", "test_p")):
        dataset.write(
            dataset.image(folder, name), np.zeros((3, dataset.side, dataset.side), "uint8")
        )
    assert not dataset.check().of("warning")
