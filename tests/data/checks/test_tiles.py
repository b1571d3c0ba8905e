import numpy as np
import pytest
import rasterio


def no_image(d):
    d.image("trainset", "t1").unlink()
    d.label("trainset", "t1").unlink()


def no_label(d):
    d.label("trainset", "t1").unlink()


def truncated(d):
    path = d.image("trainset", "t1")
    path.write_bytes(path.read_bytes()[:200])


def truncated_label(d):
    path = d.label("trainset", "t1")
    path.write_bytes(path.read_bytes()[:100])


def five_bands(d):
    d.write(d.image("trainset", "t1"), np.ones((5, d.side, d.side), "uint8"))


def sixteen_bits(d):
    d.write(d.image("trainset", "t1"), np.ones((3, d.side, d.side), "uint16"))


def float_label(d):
    d.write(d.label("trainset", "t1"), np.ones((d.side, d.side), "float32"))


def other_size(d):
    d.write(
        d.label("trainset", "t1"), np.resize(np.array([0, 1, 2], "uint8"), (d.side, d.side + 1))
    )


def elsewhere(d):
    with rasterio.open(d.label("trainset", "t1"), "r+") as file:
        file.transform = file.transform @ rasterio.Affine.translation(20, 0)


def other_system(d):
    with rasterio.open(d.label("trainset", "t1"), "r+") as file:
        file.crs = "EPSG:32632"


def strange_id(d):
    d.relabel("trainset", "t1", [0, 1, 2, 9])


def novel_in_train(d):
    d.relabel("trainset", "t1", [0, 1, 2, 3])


def without_class(d):
    d.relabel("testset", "test_p", [0, 255])


def foreign_label(d):
    d.relabel("testset", "test_p", [0, 3, 1])


@pytest.mark.parametrize(
    ("plant", "level", "kind", "message"),
    [
        (no_image, "error", "missing image", "listed (train)"),
        (no_label, "error", "missing label", "listed (train)"),
        (truncated, "error", "bad image", "cannot be read"),
        (truncated_label, "error", "bad label", "cannot be read"),
        (five_bands, "error", "bad image", "has 5 band(s)"),
        (sixteen_bits, "error", "bad image", "uint16"),
        (float_label, "error", "bad label", "float32"),
        (other_size, "error", "sizes differ", "image 12x12, label 13x12"),
        (strange_id, "error", "label ids", "9 (36 pixels)"),
        (elsewhere, "error", "label lies elsewhere", "up to 20.0 pixels away"),
        (other_system, "error", "label lies elsewhere", "EPSG:32632"),
    ],
)
def test_a_fault_of_a_training_tile_is_found(dataset, only, plant, level, kind, message):
    plant(dataset)
    finding = only(dataset.check(), level, kind)
    assert "trainset/" in finding.subject
    assert "t1" in finding.subject
    assert message in finding.message


def test_novel_ids_may_stand_in_training_labels(dataset):
    novel_in_train(dataset)
    report = dataset.check()
    assert not report.of("warning")
    assert "novel id(s) 3" in report.of("note")[0].message


def test_what_a_label_calls_no_data_is_no_strange_id(dataset):
    dataset.relabel("trainset", "t1", [0, 1, 2, 99])
    with rasterio.open(dataset.label("trainset", "t1"), "r+") as file:
        file.nodata = 99
    report = dataset.check()
    assert report.ok
    assert report.splits["train"].counts[255] == dataset.side**2 // 4


@pytest.mark.parametrize(
    ("plant", "kind", "message"),
    [
        (without_class, "support without its class", "class 3 without a pixel of it"),
        (foreign_label, "foreign labels in support", "class 3 has labels 1"),
    ],
)
def test_a_wrong_support_label_is_found(dataset, only, plant, kind, message):
    plant(dataset)
    finding = only(dataset.check(), "error", kind)
    assert finding.subject == "testset/labels/test_p.tif"
    assert message in finding.message


def test_one_fault_does_not_hide_the_next(dataset):
    truncated(dataset)
    strange_id(dataset)
    without_class(dataset)
    kinds = [f.kind for f in dataset.check().of("error")]
    assert sorted(kinds) == ["bad image", "label ids", "support without its class"]
