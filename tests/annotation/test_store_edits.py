"""What strokes, the eraser, undo and redo leave."""

import pytest
import shapely
from shapely import LineString, box
from tests.fixtures.label_store import areas, draw

from terrashot.annotation.errors import RefusedError


def test_what_is_drawn_later_lies_on_top(store):
    draw(store, box(0, 0, 30, 10))
    edited = draw(store, box(10, -5, 20, 15), "road")
    assert areas(store) == {"pool": [100.0, 100.0], "road": [200.0]}
    assert len(edited.labels) == 3
    draw(store, box(-1, -1, 31, 11), "road")
    assert areas(store) == {"road": [200.0, 384.0]}  # of one class they may overlap


def test_undo_and_redo_go_through_all_edits_and_back(open_store, store):
    steps = [areas(store)]
    for shape, name in [(box(0, 0, 30, 10), "pool"), (box(10, -5, 20, 15), "road")]:
        draw(store, shape, name)
        steps.append(areas(store))
    store.erase(store.version, LineString([(0, 5), (9, 5)]).buffer(1))
    steps.append(areas(store))
    assert store.undoable == ("erase", None)
    again = open_store()
    for want in steps[-2::-1]:
        again.undo(again.version)
        assert areas(again) == want
    for want in steps[1:]:
        again.redo(again.version)
        assert areas(again) == want
    with pytest.raises(RefusedError, match="nothing to redo"):
        again.redo(again.version)
    again.undo(again.version)
    draw(again, box(50, 50, 60, 60))
    with pytest.raises(RefusedError, match="nothing to redo"):
        again.redo(again.version)


def test_the_eraser_cuts_a_label_in_two_and_takes_small_ones_out(store):
    draw(store, box(0, 0, 30, 10))
    draw(store, box(40, 0, 41, 1), "road")
    store.erase(store.version, box(10, -1, 20, 11))
    assert areas(store) == {"pool": [100.0, 100.0], "road": [1.0]}
    store.erase(store.version, box(39, -1, 50, 2))
    assert areas(store) == {"pool": [100.0, 100.0]}
    with pytest.raises(RefusedError, match="no label to erase"):
        store.erase(store.version, box(100, 100, 101, 101))
    key = store.labels[0].key
    store.remove(store.version, [key])
    with pytest.raises(RefusedError, match="no more"):
        store.remove(store.version, [key])


@pytest.mark.parametrize("shape", [LineString([(0, 0), (5, 5)]), box(0, 0, 0, 5)])
def test_a_stroke_without_area_is_refused(store, shape):
    with pytest.raises(RefusedError, match="no area"):
        draw(store, shape)


def test_a_stroke_that_crosses_itself_is_mended(store):
    draw(store, shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]))
    assert areas(store) == {"pool": [25.0, 25.0]}
