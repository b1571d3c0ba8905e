"""Rows on a disk that takes no more."""

import numpy as np
import pytest

from terrashot.errors import DataError
from terrashot.mapping.plan import WindowPlan
from terrashot.mapping.rows import RowStore


def rows_of_noise(store, row):
    top, bottom = store.plan.rows.finished(row)
    noise = np.random.default_rng(row).integers(0, 255, (1, bottom - top, 1024), dtype=np.uint8)
    store.save(row, noise)


def test_a_full_disk_keeps_the_finished_rows_and_the_run_goes_on(tmp_path, no_file_beyond):
    store = RowStore(tmp_path / "rows", WindowPlan.of(352, 1024, 64, 32))
    rows_of_noise(store, 0)
    with (
        no_file_beyond(10_000),
        pytest.raises(DataError, match=r"rows takes no more data.*are free, and about 0\.\d MB"),
    ):
        rows_of_noise(store, 1)
    assert [p.name for p in store.folder.iterdir()] == ["row_00000.tif"]
    assert store.pending() == list(range(1, len(store.plan.rows)))
    rows_of_noise(store, 1)
    assert store.pending() == list(range(2, len(store.plan.rows)))
