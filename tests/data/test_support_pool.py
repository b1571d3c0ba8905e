"""Other support tiles from the pool: reproducible, never a query tile, clear errors."""

import json

import numpy as np
import pytest

from terrashot.data.layout import FewShotLayout
from terrashot.data.support_pool import draw_support
from terrashot.errors import DataError


@pytest.fixture
def pool(tmp_path):
    names = {4: [f"four_{i}.tif" for i in range(12)], 5: [f"five_{i}.tif" for i in range(12)]}
    (tmp_path / "support_pool.json").write_text(json.dumps({str(k): v for k, v in names.items()}))
    return tmp_path


def test_a_draw_is_the_same_whatever_the_order_of_the_pool(pool):
    first = draw_support(pool, 3, {4: 5, 5: 5}, set())
    content = json.loads((pool / "support_pool.json").read_text())
    turned = {key: names[::-1] for key, names in reversed(content.items())}
    (pool / "support_pool.json").write_text(json.dumps(turned))
    assert draw_support(pool, 3, {5: 5, 4: 5}, set()) == first
    assert [len(set(names)) for names in first.values()] == [5, 5]


def test_draws_differ_and_reach_every_tile(pool):
    draws = [draw_support(pool, d, {4: 5}, set())[4] for d in range(20)]
    assert len({tuple(sorted(d)) for d in draws}) > 15
    assert {name for d in draws for name in d} == {f"four_{i}.tif" for i in range(12)}


def test_a_query_tile_is_never_drawn_and_the_others_of_the_draw_stay(pool):
    free = draw_support(pool, 0, {4: 5}, set())[4]
    without = draw_support(pool, 0, {4: 5}, {free[0].removesuffix(".tif")})[4]
    assert without[:4] == free[1:]
    assert free[0] not in without


def test_too_few_tiles_no_pool_and_a_damaged_one_are_named(pool):
    with pytest.raises(DataError, match=r"has 4 tile\(s\) for class 5 once the 8 query"):
        draw_support(pool, 0, {5: 5}, {f"five_{i}" for i in range(8)})
    (pool / "support_pool.json").write_text("[1]")
    with pytest.raises(DataError, match="no pool of support tiles"):
        draw_support(pool, 0, {4: 5}, set())
    (pool / "support_pool.json").unlink()
    with pytest.raises(DataError, match=r"data\.support_draw takes its tiles from"):
        draw_support(pool, 0, {4: 5}, set())


def test_a_layout_with_a_draw_has_as_many_other_tiles(dataset, taxonomy, write_raster):
    pool = {}
    for key in (4, 5):
        pool[key] = [f"pool_{key}_{i}.tif" for i in range(4)]
        for name in pool[key]:
            write_raster(dataset / "testset/images" / name, np.zeros((3, 48, 48), np.uint8))
            write_raster(dataset / "testset/labels" / name, np.full((48, 48), key, np.uint8))
    pool[4].append("query_0.tif")
    (dataset / "support_pool.json").write_text(json.dumps(pool))
    for draw in range(10):
        support = FewShotLayout(dataset, "test", support_draw=draw).support
        assert {key: len(tiles) for key, tiles in support.items()} == {4: 2, 5: 2}
        assert all(t.name.startswith(f"pool_{k}") for k, tiles in support.items() for t in tiles)


def test_the_real_pool_gives_support_sets_for_both_splits(shared):
    root = shared / "data" / "dubai"
    chosen = {}
    for split in ("val", "test"):
        layout = FewShotLayout(root, split, [4, 5], support_draw=1)
        chosen[split] = {key: [t.image for t in tiles] for key, tiles in layout.support.items()}
        queries = {tile.name for tile in layout.query}
        assert not queries & {t.name for tiles in layout.support.values() for t in tiles}
    assert chosen["val"] == chosen["test"]
    assert [len(tiles) for tiles in chosen["val"].values()] == [5, 5]
