"""The list that a data config brings is written once, where it belongs."""

import pytest

from terrashot.data.held_out import FILE, write_held_out
from terrashot.data.layout import FewShotLayout
from terrashot.errors import DataError


def test_the_list_is_written_where_it_is_missing_and_read_like_any_other(dataset):
    (dataset / FILE).unlink()
    assert write_held_out(dataset, ["train_1.tif", "train_2.tif"])
    layout = FewShotLayout(dataset, "test")
    assert [tile.name for tile in layout.stage1_val] == ["train_1", "train_2"]
    assert not {"train_1", "train_2"} & {tile.name for tile in layout.train}
    assert not write_held_out(dataset, ["train_3.tif"])
    assert (dataset / FILE).read_text() == "train_1.tif\ntrain_2.tif\n"


def test_another_dataset_is_left_as_it_is(dataset):
    (dataset / FILE).unlink()
    assert not write_held_out(dataset, ["train_1.tif", "tokyo_1.tif"])
    (dataset / "train.txt").unlink()
    assert not write_held_out(dataset, ["train_1.tif"])
    assert not (dataset / FILE).exists()


def test_a_folder_that_cannot_be_written_to_is_said(dataset, monkeypatch):
    (dataset / FILE).unlink()

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(DataError, match=r"stage1_val\.txt does not exist.*read-only"):
        write_held_out(dataset, ["train_1.tif"])


def test_all_tiles_are_trained_on_where_that_is_asked_for(dataset):
    held = FewShotLayout(dataset, "test")
    both = FewShotLayout(dataset, "test", val_in_training=True)
    apart = {tile.name for tile in held.train} | {tile.name for tile in held.stage1_val}
    assert {tile.name for tile in both.train} == apart
    assert len(both.train) == len(held.train) + len(held.stage1_val)
