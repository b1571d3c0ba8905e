"""Windows of whole scenes: what they show, and what of it may be learned."""

import numpy as np
import pytest
import shapely
from tests.fixtures.ground import on_ground

from terrashot.data.labels.windows import Place
from terrashot.data.scenes.plan import ScenePlan
from terrashot.data.scenes.source import SceneSource
from terrashot.data.scenes.windows import TrainingWindows, ValidationWindows
from terrashot.errors import ConfigError, DataError
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy

SIDE = 32
TAXONOMY = Taxonomy.from_dict({"base": ["tree", "road"], "novel": ["pool"]})
TREES = [shapely.box(x, y, x + 30, y + 30) for x in (0, 100, 200) for y in (0, 100)]
ROAD = shapely.box(0, 60, 256, 70)
POOL = shapely.box(40, 140, 60, 150)


@pytest.fixture
def plan(write_layer, image, tmp_path):
    """A scene of 160 x 256 pixels with six trees, a road through it and a pool."""
    pixels = np.random.default_rng(0).integers(1, 256, (3, 160, 256), dtype=np.uint8)
    pixels[:, :4] = 0
    scene = image(pixels=pixels, nodata=0).raster.path

    def make(**options):
        shapes = [on_ground(s) for s in (*TREES, ROAD, POOL)]
        labels = write_layer(shapes, ["tree"] * 6 + ["road", "pool"])
        source = SceneSource(str(labels), str(scene), **options)
        return ScenePlan(source, options.pop("taxonomy", TAXONOMY), ImageSpec(), SIDE)

    return make


def drawn(plan, count=30):
    windows = TrainingWindows(plan, None)
    return [windows[0, seed] for seed in range(count)]


def test_a_seed_is_a_window_and_nothing_validated_on_is_learned(plan):
    made = plan()
    windows = TrainingWindows(made, None)
    one, again = windows[0, 5], windows[3, 5]
    assert one["name"] == again["name"]
    assert (one["mask"] == again["mask"]).all()
    (scene,) = made.train
    assert scene.held.any()
    learned = np.zeros((160, 256), bool)
    for seed in range(80):
        _, place, _ = windows.window(seed)
        mask = windows[0, seed]["mask"].numpy()
        assert mask.shape == (SIDE, SIDE)
        rows, columns = slice(place.top, place.top + SIDE), slice(place.left, place.left + SIDE)
        learned[rows, columns] |= mask != IGNORE
    for cell in scene.cells(held=True):
        rows = slice(cell.top, cell.top + cell.height)
        columns = slice(cell.left, cell.left + cell.width)
        assert not learned[rows, columns].any()
    assert learned.any()
    assert not learned[:4].any()  # nodata


def test_without_areas_only_objects_are_labelled_and_novel_ones_are_background(plan):
    labels = np.concatenate([s["mask"].numpy().ravel() for s in drawn(plan())])
    assert set(np.unique(labels).tolist()) == {0, 1, 2, IGNORE}
    (scene,) = plan().train
    whole = scene.drawing.classes(Place(0, 0, 160, 256))
    assert (whole == 0).sum() == 20 * 10  # the pool
    assert (whole == 1).sum() == 6 * 30 * 30
    assert (whole == 2).sum() == 10 * 256


def test_inside_of_areas_what_is_not_drawn_is_background(plan, write_layer):
    areas = write_layer([on_ground(shapely.box(0, 0, 256, 160))], ["all"], "areas.gpkg")
    made = plan(areas=str(areas))
    assert all((sample["mask"] != IGNORE).any() for sample in drawn(made))
    assert made.train_counts[0] > made.train_counts[1:].sum()


def test_balanced_windows_show_the_rare_class_more_often(plan):
    def share(made):
        masks = [sample["mask"] for sample in drawn(made, 60)]
        return np.mean([bool((mask == 0).any()) for mask in masks])

    assert share(plan(balanced=True)) > 1.5 * share(plan())


def test_validation_cells_show_labels_and_are_whole(plan):
    made = plan()
    cells = ValidationWindows(made)
    assert len(cells) == len(made.validation_places) > 0
    for index in range(len(cells)):
        assert (cells[index]["mask"] != IGNORE).any()
    assert len({cells.name(i) for i in range(len(cells))}) == len(cells)


def test_scenes_to_validate_on_are_not_trained_on(plan, image):
    pixels = np.random.default_rng(1).integers(1, 256, (3, 160, 256), dtype=np.uint8)
    other = image("other.tif", pixels=pixels).raster.path
    made = plan(val_images=str(other))
    assert [s.image.raster.path.name for s in made.train] == ["scene.tif"]
    assert not made.train[0].held.any()
    assert {s.image.raster.path.name for s, _ in made.validation_places} == {"other.tif"}
    with pytest.raises(ConfigError, match="names every scene"):
        plan(val_images=str(made.train[0].image.raster.path))


def test_a_class_that_no_scene_shows_is_named(plan, write_layer, image):
    shapes = [on_ground(TREES[0]), on_ground(shapely.box(5000, 0, 5010, 10))]
    labels = write_layer(shapes, ["tree", "road"], "far.gpkg")
    scene = plan().train[0].image.raster.path
    with pytest.raises(DataError, match="no object of road in the scenes"):
        ScenePlan(SceneSource(str(labels), str(scene)), TAXONOMY, ImageSpec(), SIDE)


def test_labels_of_one_window_leave_nothing_to_validate_on(plan, write_layer):
    shapes = [on_ground(shapely.box(2, 2, 10, 10)), on_ground(shapely.box(12, 12, 20, 20))]
    labels = write_layer(shapes, ["tree", "road"], "one.gpkg")
    scene = plan().train[0].image.raster.path
    with pytest.raises(DataError, match="left to validate on"):
        ScenePlan(SceneSource(str(labels), str(scene)), TAXONOMY, ImageSpec(), SIDE)
