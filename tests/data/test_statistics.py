"""Pixels a class: counted rightly, kept, and counted anew when labels change."""

import os

import numpy as np
import pytest

from terrashot.data import statistics
from terrashot.data.layout import FewShotLayout
from terrashot.data.reading import read_label
from terrashot.data.statistics import label_counts
from terrashot.errors import DataError


@pytest.fixture
def reads(monkeypatch):
    found = []

    def read(path, allowed, codes):
        found.append(path)
        return read_label(path, allowed, codes)

    monkeypatch.setattr(statistics, "read_label", read)
    return found


def by_hand(tiles, ids):
    labels = [read_label(tile.label) for tile in tiles]
    return [sum(int((label == i).sum()) for label in labels) for i in ids]


def test_counts_are_those_of_the_labels(dataset, taxonomy):
    query = FewShotLayout(dataset, "test").query
    full = by_hand(query, range(6))
    assert label_counts(query, taxonomy, dataset).tolist() == full
    base = label_counts(query, taxonomy, dataset, base_only=True).tolist()
    assert base == [full[0] + full[4] + full[5], *full[1:4]]


def test_ignored_pixels_and_withheld_labels_are_not_counted(dataset, taxonomy):
    (dataset / "testset/labels/query_0.tif").unlink()
    layout = FewShotLayout(dataset, "test")
    tiles = layout.query[:1] + layout.support[4]
    assert label_counts(tiles, taxonomy, dataset).tolist() == by_hand(layout.support[4], range(6))


def test_counts_are_kept_beside_the_data_and_read_only_once(dataset, taxonomy, reads):
    train = FewShotLayout(dataset, "test").train
    first = label_counts(train, taxonomy, dataset)
    assert len(reads) == len(train)
    assert len(list((dataset / ".terrashot").glob("label_counts_*.json"))) == 1
    assert label_counts(train, taxonomy, dataset).tolist() == first.tolist()
    assert len(reads) == len(train)


def test_a_changed_label_is_counted_anew(dataset, taxonomy, write_raster, reads):
    train = FewShotLayout(dataset, "test").train
    first = label_counts(train, taxonomy, dataset)
    write_raster(train[0].label, np.full((48, 48), 3, np.uint8))
    os.utime(train[0].label, ns=(1, 1))
    second = label_counts(train, taxonomy, dataset)
    assert second.tolist() == by_hand(train, range(6))
    assert second[3] > first[3]
    assert len(reads) == 2 * len(train)


def test_a_damaged_file_of_counts_is_counted_anew(dataset, taxonomy):
    train = FewShotLayout(dataset, "test").train
    first = label_counts(train, taxonomy, dataset)
    (kept,) = (dataset / ".terrashot").iterdir()
    kept.write_text('{"0": 12')
    assert label_counts(train, taxonomy, dataset).tolist() == first.tolist()


def test_the_cache_folder_serves_where_the_root_takes_no_files(
    dataset, taxonomy, reads, tmp_path, monkeypatch
):
    monkeypatch.setenv("TERRASHOT_CACHE", str(tmp_path / "cache"))
    (dataset / ".terrashot").write_text("a file where a folder is needed cannot be written to")
    train = FewShotLayout(dataset, "test").train
    first = label_counts(train, taxonomy, dataset)
    assert len(list((tmp_path / "cache").glob("label_counts_*.json"))) == 1
    assert label_counts(train, taxonomy, dataset).tolist() == first.tolist()
    assert len(reads) == len(train)


def test_kept_counts_do_not_hide_an_unknown_id(dataset, taxonomy):
    query = FewShotLayout(dataset, "test").query
    label_counts(query, taxonomy, dataset)
    with pytest.raises(DataError, match=r"query_0\.tif has the label id\(s\) 4 "):
        label_counts(query, taxonomy.base_only(), dataset)
