import shutil

import pytest


def train_in_stage1_val(d):
    d.text("train", ["t1.tif", "t2.tif", "v1.tif"])


def nothing_but_validation(d):
    d.text("stage1_val", ["t1.tif", "t2.tif"])
    shutil.rmtree(d.root / "trainset")
    for name in ("t1", "t2"):
        d.tile("trainset", name, [0, 1, 2])


def support_in_query(d):
    d.json("test", d.json_value("test")["support_set"], ["test_q.tif", "test_s.tif"])


def query_in_train(d):
    d.relabel("testset", "test_q", [0, 1, 2])
    for kind in ("images", "labels"):
        (d.root / "testset" / kind / "test_q.tif").rename(d.root / "trainset" / kind / "test_q.tif")
    d.text("train", ["t1.tif", "t2.tif", "test_q.tif"])


def support_in_train(d):
    d.relabel("testset", "test_p", [3])
    value = d.json_value("test")
    d.json("test", {**value["support_set"], "3": ["pool.tif"]}, value["query_set"])
    for kind in ("images", "labels"):
        (d.root / "testset" / kind / "test_p.tif").rename(d.root / "trainset" / kind / "pool.tif")
    d.text("train", ["t1.tif", "t2.tif", "pool.tif"])


@pytest.mark.parametrize(
    ("plant", "level", "pair"),
    [
        (train_in_stage1_val, "warning", "train and stage1_val"),
        (nothing_but_validation, "error", "train and stage1_val"),
        (support_in_query, "error", "test support and test query"),
        (query_in_train, "error", "train and test query"),
        (support_in_train, "warning", "train and test support"),
    ],
)
def test_a_tile_in_two_splits_is_found(dataset, plant, level, pair):
    plant(dataset)
    found = [f for f in dataset.check().findings if f.kind == "tiles in two splits"]
    assert [(f.level, f.subject) for f in found] == [(level, pair)]


def test_training_tiles_held_out_for_validation_are_not_counted_twice(dataset):
    train_in_stage1_val(dataset)
    report = dataset.check()
    assert report.splits["train"].tiles == 2
    assert report.splits["stage1_val"].tiles == 1
    assert report.ok


@pytest.mark.parametrize("name", ["train.txt", "stage1_val.txt"])
def test_a_missing_stage_1_list_is_an_error(dataset, name):
    (dataset.root / name).unlink()
    errors = dataset.check().of("error")
    assert [(f.kind, f.subject) for f in errors] == [("missing list", name)]


def test_stage_1_needs_neither_val_nor_test(dataset, only):
    (dataset.root / "val.json").unlink()
    shutil.rmtree(dataset.root / "valset")
    assert only(dataset.check(), "warning", "missing list").subject == "val.json"
    (dataset.root / "test.json").unlink()
    shutil.rmtree(dataset.root / "testset")
    report = dataset.check()
    assert report.ok
    assert [f.subject for f in report.of("warning")] == ["val.json", "test.json"]


def test_a_damaged_list_is_named(dataset):
    (dataset.root / "test.json").write_text('{"support_set": {"3": "test_p.tif"}, "query_set": []}')
    errors = dataset.check().of("error")
    assert [(f.kind, f.subject) for f in errors] == [("unreadable list", "test.json")]
    assert "'test_p.tif' is not a list" in errors[0].message


def test_support_for_the_wrong_classes_is_named(dataset):
    dataset.json("test", {"3": ["test_p.tif"], "7": ["test_s.tif"]}, ["test_q.tif"])
    messages = [f.message for f in dataset.check().of("error") if f.kind == "support classes"]
    assert len(messages) == 2
    assert "support for id 7" in messages[0]
    assert "no support tile for the novel id 4" in messages[1]
