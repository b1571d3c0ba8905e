from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from terrashot.mapping.cluster.work import Work, divide
from terrashot.mapping.job import SceneJob
from terrashot.mapping.plan import WindowPlan
from terrashot.mapping.rows import RowStore


@pytest.fixture
def job(tmp_path):
    """Of 10 rows of windows of 64 pixels that overlap by 32."""
    plan = WindowPlan.of(352, 200, 64, 32)
    scene = SimpleNamespace(height=352, width=200)
    store = RowStore(tmp_path / "rows", plan)
    return SceneJob(scene, plan, store, Path("a.tif"), "digest", "torch")


def test_a_scene_of_few_rows_is_one_piece_with_all_its_pixels(job):
    assert divide([job], 10) == [[Work(0, None, 352 * 200)]]


def test_a_large_scene_is_divided_and_every_pixel_counts_once(job):
    ((*pieces,),) = divide([job], 4)
    assert [piece.rows for piece in pieces] == [(0, 4), (4, 8), (8, 10)]
    assert sum(piece.pixels for piece in pieces) == 352 * 200


def test_rows_that_are_finished_are_no_work_any_more(job):
    for row in (0, 1, 2, 5):
        job.store.save(row, np.zeros((1, 32, 200), np.uint8))
    ((*pieces,),) = divide([job], 3)
    assert [piece.rows for piece in pieces] == [(3, 7), (7, 10)]
    assert sum(piece.pixels for piece in pieces) == (352 - 4 * 32) * 200
    ((whole,),) = divide([job], 6)
    assert whole.rows is None
