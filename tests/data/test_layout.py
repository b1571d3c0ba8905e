"""The few-shot layout: splits as listed, and an error for each kind of bad list."""

import json
import shutil

import pytest

from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError, DataError


def names(tiles):
    return [tile.name for tile in tiles]


def test_validation_tiles_are_taken_out_of_training(dataset):
    layout = FewShotLayout(dataset, "test", novel_ids=[4, 5])
    assert names(layout.stage1_val) == ["train_0", "train_1", "train_2"]
    assert names(layout.train) == [f"train_{i}" for i in range(3, 12)]


def test_support_and_query_follow_the_json_file(dataset):
    layout = FewShotLayout(dataset, "test", novel_ids=[4, 5])
    assert {i: names(t) for i, t in layout.support.items()} == {
        4: ["four_0", "four_1"],
        5: ["five_0", "five_1"],
    }
    assert names(layout.query) == [f"query_{i}" for i in range(5)]


def test_a_withheld_query_label_is_none(dataset):
    (dataset / "testset/labels/query_1.tif").unlink()
    labels = [tile.label is None for tile in FewShotLayout(dataset, "test").query]
    assert labels == [False, True, False, False, False]


def test_a_label_may_have_another_suffix_than_its_image(dataset):
    for kind, suffix in (("images", "jpg"), ("labels", "png")):
        folder = dataset / "trainset" / kind
        (folder / "train_5.tif").rename(folder / f"train_5.{suffix}")
    tile = next(t for t in FewShotLayout(dataset, "test").train if t.name == "train_5")
    assert tile.image.name == "train_5.jpg"
    assert tile.label is not None
    assert tile.label.name == "train_5.png"


def test_a_support_tile_of_another_split_is_found_there(dataset):
    lists = {"support_set": {"4": ["four_0.tif"]}, "query_set": ["train_3.tif"]}
    (dataset / "val.json").write_text(json.dumps(lists))
    assert names(FewShotLayout(dataset, "val").support[4]) == ["four_0"]


def test_stage_2_needs_no_training_tiles(dataset):
    shutil.rmtree(dataset / "trainset")
    (dataset / "train.txt").unlink()
    layout = FewShotLayout(dataset, "test")
    assert len(layout.query) == 5
    with pytest.raises(DataError, match=r"train\.txt does not exist.*one file name a line"):
        _ = layout.train


def test_a_missing_root_shows_the_hint(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist.*Run the download\.") as error:
        FewShotLayout(tmp_path / "nowhere", "test", hint="Run the download.")
    assert "\n" not in str(error.value)


def test_an_unknown_split_is_a_config_error(dataset):
    with pytest.raises(ConfigError, match=r"data\.split is 'train'"):
        FewShotLayout(dataset, "train")


def test_missing_files_are_counted_and_five_of_them_named(dataset):
    for i in range(4, 11):
        (dataset / f"trainset/images/train_{i}.tif").unlink()
    with pytest.raises(DataError) as error:
        _ = FewShotLayout(dataset, "test").train
    message = str(error.value)
    assert "7 of the 9 files" in message
    assert "train_8.tif and 2 more" in message
    assert "train_9" not in message


def test_a_missing_training_label_is_named_as_label(dataset):
    (dataset / "trainset/labels/train_4.tif").unlink()
    with pytest.raises(DataError, match=r"trainset/labels/train_4\.tif"):
        _ = FewShotLayout(dataset, "test").train


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "list"),
        ('{"support_set": {"4": ["four_0.tif"]}}', "'query_set' is missing"),
        ('{"support_set": {"four": ["a.tif"]}, "query_set": ["b.tif"]}', "four"),
        ('{"support_set": {"4": "four_0.tif"}, "query_set": ["b.tif"]}', "not a list"),
        ('{"support_set": {}, "query_set": []}', "empty"),
    ],
)
def test_a_malformed_json_file_is_explained(dataset, text, reason):
    (dataset / "test.json").write_text(text)
    with pytest.raises(DataError, match=rf"test\.json is not a list.*{reason}.*Correct the file"):
        _ = FewShotLayout(dataset, "test").query


@pytest.mark.parametrize("ids", [[4], [4, 5, 6], [7, 8]])
def test_support_ids_must_be_the_novel_classes(dataset, ids):
    with pytest.raises(DataError, match=r"ids \[4, 5\], but the novel classes"):
        _ = FewShotLayout(dataset, "test", novel_ids=ids).support


def test_an_empty_list_is_an_error(dataset):
    (dataset / "stage1_val.txt").write_text("\n")
    with pytest.raises(DataError, match=r"stage1_val\.txt is empty"):
        _ = FewShotLayout(dataset, "test").stage1_val


def test_nothing_left_to_train_on_is_an_error(dataset):
    shutil.copy(dataset / "train.txt", dataset / "stage1_val.txt")
    with pytest.raises(DataError, match="leaves no training tile"):
        _ = FewShotLayout(dataset, "test").train


@pytest.mark.parametrize(("split", "queries"), [("test", 45), ("val", 62)])
def test_dubai_has_the_splits_of_its_readme(shared, split, queries):
    layout = FewShotLayout(shared / "data/dubai", split, novel_ids=[4, 5])
    assert (len(layout.train), len(layout.stage1_val), len(layout.query)) == (181, 38, queries)
    assert {i: len(tiles) for i, tiles in layout.support.items()} == {4: 5, 5: 5}
    assert all(tile.label is not None for tile in layout.query)


@pytest.mark.parametrize(("split", "queries"), [("test", 80), ("val", 30)])
def test_the_challenge_lists_lose_their_overlap(shared, tmp_path, split, queries):
    """The files stand empty: only names matter here."""
    for file in (shared / "data/openearthmap_lists").iterdir():
        shutil.copy(file, tmp_path / file.name)
    lists = json.loads((tmp_path / f"{split}.json").read_text())
    support = [name for tiles in lists["support_set"].values() for name in tiles]
    train = (tmp_path / "train.txt").read_text().split()
    for folder, kind, files in (
        ("trainset", "images", train),
        ("trainset", "labels", train),
        (f"{split}set", "images", support + lists["query_set"]),
        (f"{split}set", "labels", support),
    ):
        (tmp_path / folder / kind).mkdir(parents=True)
        for name in files:
            (tmp_path / folder / kind / name).touch()
    layout = FewShotLayout(tmp_path, split, novel_ids=[8, 9, 10, 11])
    assert len(train) == 258
    assert (len(layout.train), len(layout.stage1_val)) == (258 - 29, 29)
    assert not set(names(layout.train)) & set(names(layout.stage1_val))
    assert len(layout.query) == queries
    assert all(tile.label is None for tile in layout.query)
