"""Classes of the page: made, named, merged and taken away, those of the network excepted."""

import pytest
from shapely import box
from tests.fixtures.label_store import areas, draw

from terrashot.annotation.errors import RefusedError
from terrashot.data.labels.layer import read_layer


def test_classes_are_made_renamed_coloured_merged_and_removed(store, open_store):
    draw(store, box(0, 0, 10, 10))
    store.add_class(store.version, "court", "#A0B0C0")
    draw(store, box(20, 0, 30, 10), "court")
    store.rename_class(store.version, "court", "tennis court")
    store.recolor_class(store.version, "pool", "#00ff00")
    shown = [(c.name, c.color, c.is_base) for c in store.classes[2:]]
    assert shown == [("pool", "#00ff00", False), ("tennis court", "#a0b0c0", False)]
    store.merge_class(store.version, "tennis court", "pool")
    assert areas(open_store()) == {"pool": [100.0, 100.0]}
    store.undo(store.version)
    assert areas(store) == {"pool": [100.0], "tennis court": [100.0]}
    store.merge_class(store.version, "pool", "road")
    assert areas(store) == {"road": [100.0], "tennis court": [100.0]}
    store.remove_class(store.version, "tennis court")
    assert areas(store) == {"road": [100.0]}
    store.undo(store.version)
    assert [c.name for c in store.classes] == ["background", "road", "tennis court"]


def test_a_new_class_has_a_colour_unlike_all_others(store):
    for number in range(5):
        store.add_class(store.version, f"new {number}")
    colors = [[int(c.color[i : i + 2], 16) for i in (1, 3, 5)] for c in store.classes]
    for number, color in enumerate(colors):
        for other in colors[:number]:
            assert sum(abs(a - b) for a, b in zip(color, other, strict=True)) > 120


@pytest.mark.parametrize(
    "name",
    ["'; DROP TABLE labels; --", "<script>alert(1)</script>", '"quoted"', "水 и вода", "a=b,{c}"],
)
def test_a_class_may_have_any_name(store, open_store, name):
    store.add_class(store.version, name)
    draw(store, box(0, 0, 1, 1), name)
    assert areas(open_store()) == {name: [1.0]}
    assert read_layer(store.path).names == [name]


@pytest.mark.parametrize("name", ["", "  ", "road", "Pool", "a\0b", "x" * 81, None, 3])
def test_names_that_cannot_be_are_refused(store, name):
    with pytest.raises(RefusedError):
        store.add_class(store.version, name)
    with pytest.raises(RefusedError):
        store.rename_class(store.version, "pool", name)


@pytest.mark.parametrize("act", ["rename_class", "merge_class", "recolor_class"])
def test_classes_of_the_network_stay(store, act):
    with pytest.raises(RefusedError, match="of the network"):
        getattr(store, act)(store.version, "road", "pool")
