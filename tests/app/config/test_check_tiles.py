"""What the tiles of a run lack is said before it starts."""

import json
import shutil

import numpy as np
import pytest
import yaml

from terrashot.app.config.check_tiles import check_tiles, tile_remarks
from terrashot.app.config.compose import compose_settings
from terrashot.app.tasks.registry import find_task
from terrashot.errors import ConfigError, DataError


@pytest.fixture
def settings_of(repository, dataset, taxonomy):
    """Settings of an experiment on the small set, which has the classes of ``taxonomy``."""
    rows = [{"name": c.name, "color": c.color} for c in taxonomy.classes]
    classes = {"name": "tiny", "background": rows[0], "base": rows[1:4], "novel": rows[4:]}

    def make(experiment, *overrides):
        settings = compose_settings(
            repository / "configs",
            [f"experiment={experiment}", "data=dubai", f"data.root={dataset}", *overrides],
        )
        settings.data.taxonomy = yaml.safe_load(yaml.safe_dump(classes))
        return settings, find_task(settings.task)

    return make


@pytest.fixture
def relabel(dataset, write_raster):
    def write(folder, starts, value=255):
        for start in starts:
            for path in sorted((dataset / folder / "labels").glob(f"{start}*")):
                write_raster(path, np.full((48, 48), value, np.uint8))

    return write


VALIDATION = ("train_0", "train_1.", "train_2")


def test_a_sound_set_passes_without_a_word(settings_of):
    for experiment in ("stage1", "stage2"):
        check_tiles(*settings_of(experiment))
        assert tile_remarks(*settings_of(experiment)) == []


@pytest.mark.parametrize(("starts", "said"), [(["train_"], "learn"), (VALIDATION, "validate on")])
def test_stage_1_is_refused_where_all_pixels_are_ignored(settings_of, relabel, starts, said):
    relabel("trainset", starts)
    with pytest.raises(DataError, match=f"leave nothing to {said}"):
        check_tiles(*settings_of("stage1"))


def test_stage_2_does_not_look_at_training_tiles(settings_of, relabel):
    relabel("trainset", ["train_"])
    check_tiles(*settings_of("stage2"))


@pytest.mark.parametrize("key", ["callbacks.monitor", "optimized_metric"])
def test_a_class_that_no_validation_tile_shows_is_no_metric(settings_of, relabel, key):
    relabel("trainset", VALIDATION, 1)
    check_tiles(*settings_of("stage1", f"{key}=val/iou/wood"))
    with pytest.raises(ConfigError, match=f"{key} is 'val/iou/road'.*exist are val/iou/wood;"):
        check_tiles(*settings_of("stage1", f"{key}=val/iou/road"))


def test_a_class_that_no_query_shows_is_no_metric_of_stage_2(settings_of, relabel):
    relabel("testset", ["query_"], 4)
    with pytest.raises(ConfigError, match="no query tile has a pixel of hall"):
        check_tiles(*settings_of("stage2", "optimized_metric=test/iou/hall"))


def test_a_class_that_no_training_tile_shows_is_a_remark(settings_of, relabel):
    relabel("trainset", [f"train_{i}" for i in range(3, 12)], 1)
    relabel("trainset", ["train_10", "train_11"], 1)
    check_tiles(*settings_of("stage1"))
    (line,) = tile_remarks(*settings_of("stage1"))
    assert "no training tile shows field, road" in line


def listed(root, change):
    path = root / "test.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_a_support_tile_among_the_queries_is_refused_or_asked_for(settings_of, dataset):
    listed(dataset, lambda value: value["query_set"].append("four_0.tif"))
    with pytest.raises(DataError, match=r"1 support tile.*four_0\..*allow_support_in_queries=true"):
        check_tiles(*settings_of("stage2"))
    check_tiles(*settings_of("stage2", "data.allow_support_in_queries=true"))
    check_tiles(*settings_of("stage1"))  # it scores no query


def test_a_copy_of_a_support_tile_among_the_queries_is_refused(settings_of, dataset):
    images = dataset / "testset/images"
    shutil.copy(images / "five_1.tif", images / "query_3.tif")
    for experiment in ("stage2", "adapt"):
        with pytest.raises(DataError, match=r"five_1 \(the same pixels as query_3\)"):
            check_tiles(*settings_of(experiment))
    check_tiles(*settings_of("adapt", "adapt.evaluate=false"))  # nothing is scored


def test_a_support_tile_that_is_listed_twice_is_a_remark(settings_of, dataset):
    listed(dataset, lambda value: value["support_set"]["4"].append("four_0.png"))
    check_tiles(*settings_of("stage2"))
    (line,) = tile_remarks(*settings_of("stage2"))
    assert "four_0" in line
    assert "twice" in line


def test_a_support_tile_under_two_names_is_a_remark(settings_of, dataset):
    images = dataset / "testset/images"
    shutil.copy(images / "four_0.tif", images / "four_1.tif")
    (line,) = tile_remarks(*settings_of("stage2"))
    assert line.startswith("class 4 has the support tile four_0 twice, also as four_1")


@pytest.mark.parametrize("experiment", ["stage2", "adapt"])
def test_queries_without_a_labelled_pixel_are_a_remark(settings_of, relabel, experiment):
    relabel("testset", ["query_"])
    check_tiles(*settings_of(experiment))
    (line,) = tile_remarks(*settings_of(experiment))
    assert "nothing to score" in line


def test_a_support_class_without_a_pixel_is_refused(settings_of, relabel):
    relabel("testset", ["five_"])
    with pytest.raises(DataError, match="class 5 'hall'"):
        check_tiles(*settings_of("stage2"))
