import numpy as np
import pytest

from terrashot.demo import render_scene
from terrashot.demo.classes import Land
from terrashot.demo.scene import THEMES


def test_scene_has_the_size_asked_for_also_beyond_the_noise_period():
    image, label = render_scene(np.random.default_rng(0), 130, 1100, "rural")
    assert image.shape == (3, 130, 1100)
    assert label.shape == (130, 1100)
    assert image.dtype == label.dtype == np.uint8


@pytest.mark.parametrize("theme", [*THEMES, None])
def test_scene_depends_on_its_generator_alone(theme):
    first = render_scene(np.random.default_rng(5), 200, 240, theme)
    second = render_scene(np.random.default_rng(5), 200, 240, theme)
    other = render_scene(np.random.default_rng(6), 200, 240, theme)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_one_large_scene_of_each_theme_shows_all_classes_between_them():
    seen = set()
    for index, theme in enumerate(THEMES):
        _, label = render_scene(np.random.default_rng(index), 700, 700, theme)
        seen |= set(np.unique(label).tolist())
    assert seen == {int(land) for land in Land}


def test_roads_form_one_network_that_reaches_the_edges_of_a_town():
    _, label = render_scene(np.random.default_rng(3), 500, 500, "suburb")
    # Cars and trees on the street interrupt its label, so they count as passable.
    passable = np.isin(label, [Land.ROAD, Land.VEHICLE, Land.TREE])
    road = label == Land.ROAD
    reached = np.zeros_like(passable)
    start = np.argwhere(road)[0]
    reached[tuple(start)] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= passable
        if grown.sum() == reached.sum():
            break
        reached = grown
    assert (reached & road).sum() > 0.9 * road.sum()


def test_scenes_differ_in_light():
    means = [render_scene(np.random.default_rng(s), 96, 96, "rural")[0].mean() for s in range(8)]
    assert np.std(means) > 4
