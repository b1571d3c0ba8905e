"""Labels that leave nothing to learn or to measure are found before anything is trained."""

import numpy as np
import pytest

from terrashot.data.coverage import Coverage
from terrashot.data.layout import FewShotLayout
from terrashot.errors import DataError

STAGE1, STAGE2 = ("train", "stage1_val"), ("support", "query")


@pytest.fixture
def relabel(dataset, write_raster):
    """Labels of the tiles whose name starts so, all of one id; by default ignored."""

    def write(folder, start, value=255):
        for path in sorted((dataset / folder / "labels").glob(f"{start}*")):
            write_raster(path, np.full((48, 48), value, np.uint8))

    return write


def coverage(dataset, taxonomy, **options):
    return Coverage(FewShotLayout(dataset, "test", taxonomy.novel_ids), taxonomy, **options)


def validation_tiles(dataset):
    """Three of the training names are for validation."""
    return ("train_0", "train_1.", "train_2")


def test_labels_that_show_every_class_need_no_word(dataset, taxonomy):
    found = coverage(dataset, taxonomy)
    found.check([*STAGE1, *STAGE2])
    assert found.remarks([*STAGE1, *STAGE2]) == []


def test_training_tiles_that_are_all_ignored(dataset, taxonomy, relabel):
    relabel("trainset", "train_")
    with pytest.raises(DataError, match=r"train\.txt leave nothing to learn.*wood, field.*none"):
        coverage(dataset, taxonomy).check(STAGE1)


def test_validation_tiles_that_are_all_ignored(dataset, taxonomy, relabel):
    for start in validation_tiles(dataset):
        relabel("trainset", start)
    with pytest.raises(DataError, match=r"stage1_val\.txt leave nothing to validate on"):
        coverage(dataset, taxonomy).check(STAGE1)
    coverage(dataset, taxonomy).check(["train"])  # a task that does not validate


def test_validation_tiles_with_background_alone(dataset, taxonomy, relabel):
    for start in validation_tiles(dataset):
        relabel("trainset", start, 0)
    with pytest.raises(DataError, match="6912 pixels of background alone"):
        coverage(dataset, taxonomy).check(STAGE1)


def test_novel_pixels_are_background_to_stage_1(dataset, taxonomy, relabel):
    relabel("trainset", "train_", 4)
    with pytest.raises(DataError, match="pixels of background alone"):
        coverage(dataset, taxonomy).check(STAGE1)


def test_a_share_of_the_training_tiles_is_looked_at_as_it_is(dataset, taxonomy, relabel):
    """One tile is labelled, and not every share holds it."""
    for number in (3, 4, 5, 6, 7, 8, 9, 10):
        relabel("trainset", f"train_{number}")
    coverage(dataset, taxonomy).check(STAGE1)
    outcomes = []
    for seed in range(12):
        try:
            coverage(dataset, taxonomy, train_share=0.1, seed=seed).check(STAGE1)
            outcomes.append(True)
        except DataError:
            outcomes.append(False)
    assert {True, False} == set(outcomes)


def test_a_class_that_no_training_tile_shows_is_named(dataset, taxonomy, relabel):
    relabel("trainset", "train_", 3)
    found = coverage(dataset, taxonomy)
    found.check(STAGE1)
    (line,) = found.remarks(STAGE1)
    assert line.startswith("no training tile shows wood, field:")


def test_a_support_class_whose_tiles_are_all_ignored(dataset, taxonomy, relabel):
    relabel("testset", "five_0")
    coverage(dataset, taxonomy).check(STAGE2)  # the other tile shows it
    relabel("testset", "five_1")
    with pytest.raises(DataError, match=r"None of the 2 support.*class 5 'hall'.*five_0\.tif"):
        coverage(dataset, taxonomy).check(STAGE2)


@pytest.mark.parametrize("withheld", [False, True])
def test_queries_without_a_labelled_pixel_are_said(dataset, taxonomy, relabel, withheld):
    relabel("testset", "query_")
    if withheld:
        for path in (dataset / "testset/labels").glob("query_*"):
            path.unlink()
    found = coverage(dataset, taxonomy)
    found.check(STAGE2)  # maps can be made all the same
    (line,) = found.remarks(STAGE2)
    assert line.startswith("no query tile has a labelled pixel")
