import numpy as np
import pytest
import shapely
from shapely import box

from terrashot.data.labels.windows import Place, places_around


def union(places):
    return shapely.union_all([p.box for p in places])


def test_objects_near_each_other_share_a_window():
    shapes = np.array([box(10, 10, 20, 20), box(30, 40, 50, 60), box(300, 300, 310, 310)])
    places = places_around(shapes, 400, 500, 64)
    assert len(places) == 2
    assert all((p.height, p.width) == (64, 64) for p in places)
    for shape in shapes:
        assert any(p.box.covers(shape) for p in places)
    shuffled = places_around(shapes[[2, 0, 1]], 400, 500, 64)
    assert shuffled == places


def test_windows_stay_inside_the_image():
    corners = [box(0, 0, 5, 5), box(95, 0, 100, 5), box(0, 75, 5, 80), box(95, 75, 100, 80)]
    places = places_around(np.array(corners), 80, 100, 32)
    assert {(p.top, p.left) for p in places} == {(0, 0), (0, 68), (48, 0), (48, 68)}
    (whole,) = places_around(np.array(corners), 80, 100, 512)
    assert whole == Place(0, 0, 80, 100)


def test_an_object_larger_than_a_window_is_shown_in_pieces():
    ring = box(10, 10, 190, 190).difference(box(50, 50, 150, 150))
    places = places_around(np.array([ring]), 200, 200, 50)
    assert union(places).covers(ring)
    assert len(places) == 12  # none in the hole


def test_what_lies_outside_needs_no_window():
    shapes = np.array([box(-20, 0, 0, 10), box(-5, 30, 3, 40), shapely.Polygon()])
    (place,) = places_around(shapes, 100, 100, 20)
    assert place.box.covers(box(0, 30, 3, 40))
    assert places_around(shapes[[0, 2]], 100, 100, 20) == []


@pytest.mark.parametrize("seed", range(5))
def test_every_object_is_in_a_window_and_there_are_few(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 480, (60, 2))
    shapes = shapely.box(*corners.T, *(corners + rng.uniform(0.1, 20, (60, 2))).T)
    places = places_around(shapes, 500, 500, 128)
    for shape in shapes:
        assert any(p.box.covers(shape) for p in places)
    assert len(places) <= 30  # a grid of windows without overlap would need 16


def test_windows_stay_as_they_are_when_something_is_drawn_beside():
    first, second = box(130, 140, 150, 150), box(110, 105, 190, 115)
    alone = places_around(np.array([first]), 400, 400, 100)
    assert alone == [Place(100, 100, 100, 100)]  # of four, the one at whole sides
    assert places_around(np.array([first, second]), 400, 400, 100) == alone
    elsewhere = places_around(np.array([first, box(300, 300, 320, 320)]), 400, 400, 100)
    assert alone[0] in elsewhere
    large = places_around(np.array([box(30, 30, 120, 95)]), 400, 400, 100)
    assert large == [Place(0, 25, 100, 100)]  # too large for a multiple of 50 across
