"""Labels are on the disk when an edit returns, and every edit can be taken back."""

import shutil
import sqlite3

import numpy as np
import pyogrio
import pytest
import shapely
from shapely import LineString, box
from tests.fixtures.ground import UTM

from terrashot.annotation.errors import RefusedError, StaleError, UnsavedError
from terrashot.annotation.geometry_blob import add_index_functions
from terrashot.annotation.store import LabelStore
from terrashot.data.labels.layer import read_layer
from terrashot.errors import ConfigError, DataError
from terrashot.taxonomy import LandClass

BASE = [LandClass(0, "background", "#000000"), LandClass(1, "road", "#ffffff")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "city.gpkg"


@pytest.fixture
def opened(path):
    stores = []

    def make(**options):
        given = {"path": path, "base": BASE, "crs": UTM, "author": "ada"} | options
        stores.append(LabelStore(**given))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(opened):
    store = opened()
    store.add_class(store.version, "pool")
    return store


def draw(store, shape, name="pool", tool="polygon"):
    return store.draw(store.version, name, shape, tool)


def append(path, shapes, columns, layer, kind):
    """Write as other programs do, with GDAL."""
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [np.array(list(v), dtype=None if n == "number" else object) for n, v in columns.items()],
        list(columns),
        layer=layer,
        geometry_type=kind,
        crs=UTM,
        append=path.exists(),
    )


def areas(store):
    found = {}
    for label in store.labels:
        found.setdefault(label.name, []).append(round(label.shape.area, 6))
    return {name: sorted(values) for name, values in found.items()}


def test_a_stroke_is_read_by_others_while_the_page_has_the_file(store, path):
    draw(store, box(0, 0, 10, 10))
    layer = read_layer(path)  # GDAL, as QGIS reads it; the table of classes is no layer
    assert layer.objects() == {"pool": 1}
    assert layer.crs.to_epsg() == 32640
    columns = pyogrio.raw.read(path, layer="labels")
    values = dict(zip(columns[0]["fields"], (c[0] for c in columns[3]), strict=True))
    assert values["author"] == "ada"
    assert values["tool"] == "polygon"
    assert str(values["time"])[:2] == "20"
    assert pyogrio.read_info(path, layer="labels")["features"] == 1
    assert [name for name, _ in pyogrio.list_layers(path)] == ["labels", "terrashot_classes"]


def test_a_killed_server_loses_nothing(store, path, tmp_path, opened):
    draw(store, box(0, 0, 10, 10))
    draw(store, box(20, 0, 30, 10))
    for name in ("city.gpkg", "city.gpkg-wal"):  # what a disk holds at that moment
        if (tmp_path / name).exists():
            shutil.copy(tmp_path / name, tmp_path / f"killed-{name}")
    after = opened(path=tmp_path / "killed-city.gpkg")
    assert areas(after) == {"pool": [100.0, 100.0]}
    assert [c.name for c in after.classes] == ["background", "road", "pool"]
    after.undo(after.version)
    assert areas(after) == {"pool": [100.0]}


def test_the_file_alone_is_whole_after_each_stroke(store, path, tmp_path):
    draw(store, box(0, 0, 10, 10))
    shutil.copy(path, tmp_path / "copy.gpkg")  # without the log beside it
    assert read_layer(tmp_path / "copy.gpkg").objects() == {"pool": 1}


def test_what_is_drawn_later_lies_on_top(store):
    draw(store, box(0, 0, 30, 10))
    edited = draw(store, box(10, -5, 20, 15), "road")
    assert areas(store) == {"pool": [100.0, 100.0], "road": [200.0]}
    assert len(edited.labels) == 3
    draw(store, box(-1, -1, 31, 11), "road")
    assert areas(store) == {"road": [200.0, 384.0]}  # of one class they may overlap


def test_undo_and_redo_go_through_all_edits_and_back(opened, store):
    steps = [areas(store)]
    for shape, name in [(box(0, 0, 30, 10), "pool"), (box(10, -5, 20, 15), "road")]:
        draw(store, shape, name)
        steps.append(areas(store))
    store.erase(store.version, LineString([(0, 5), (9, 5)]).buffer(1))
    steps.append(areas(store))
    assert store.undoable == ("erase", None)
    again = opened()
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


def test_classes_are_made_renamed_coloured_merged_and_removed(store, opened):
    draw(store, box(0, 0, 10, 10))
    store.add_class(store.version, "court", "#A0B0C0")
    draw(store, box(20, 0, 30, 10), "court")
    store.rename_class(store.version, "court", "tennis court")
    store.recolor_class(store.version, "pool", "#00ff00")
    shown = [(c.name, c.color, c.is_base) for c in store.classes[2:]]
    assert shown == [("pool", "#00ff00", False), ("tennis court", "#a0b0c0", False)]
    store.merge_class(store.version, "tennis court", "pool")
    assert areas(opened()) == {"pool": [100.0, 100.0]}
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
def test_a_class_may_have_any_name(store, opened, name):
    store.add_class(store.version, name)
    draw(store, box(0, 0, 1, 1), name)
    assert areas(opened()) == {name: [1.0]}
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


def test_a_page_that_has_not_seen_the_last_edit_is_refused(store):
    seen = store.version
    draw(store, box(0, 0, 10, 10))
    with pytest.raises(StaleError, match="loaded again"):
        store.draw(seen, "pool", box(20, 0, 30, 10), "polygon")
    assert areas(store) == {"pool": [100.0]}
    draw(store, box(20, 0, 30, 10))


def test_another_program_may_write_meanwhile(store, path, opened):
    draw(store, box(0, 0, 10, 10))
    seen = store.version
    append(path, [box(50, 0, 60, 10)], {"class": ["court"]}, "labels", "Polygon")  # as QGIS does
    with pytest.raises(StaleError):
        store.draw(seen, "pool", box(20, 0, 30, 10), "polygon")
    assert areas(store) == {"pool": [100.0], "court": [100.0]}
    assert [c.name for c in store.classes] == ["background", "road", "pool", "court"]
    other = opened()  # a second server on the same file
    other.remove(other.version, [store.labels[0].key])
    assert store.version != seen
    assert areas(store) == {"court": [100.0]}
    with pytest.raises(RefusedError, match="nothing to redo"):
        store.redo(store.version)


def test_an_edit_that_another_program_has_changed_is_not_undone(store, path):
    draw(store, box(0, 0, 10, 10))
    with sqlite3.connect(path) as other:
        add_index_functions(other)
        other.execute("UPDATE labels SET class = 'road'")
    other.close()
    with pytest.raises(RefusedError, match="Another program has changed"):
        store.undo(store.version)
    assert areas(store) == {"road": [100.0]}


def test_a_full_disk_refuses_the_stroke_and_loses_nothing(store, opened):
    draw(store, box(0, 0, 10, 10))
    connection = store._journal.connection
    connection.execute(f"PRAGMA max_page_count = {1}")  # no more pages than there are
    wiggly = LineString([(i, i % 7) for i in range(20_000)]).buffer(0.1)
    with pytest.raises(UnsavedError, match="no space left on the disk"):
        draw(store, wiggly)
    assert areas(store) == areas(opened()) == {"pool": [100.0]}
    connection.execute("PRAGMA max_page_count = 1000000")
    draw(store, wiggly)
    assert len(opened().labels) == 2


def test_a_file_that_another_program_holds_refuses_the_stroke(store, path):
    store._journal.connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnsavedError, match="another program holds the file"):
        draw(store, box(0, 0, 10, 10))
    other.execute("ROLLBACK")
    other.close()
    draw(store, box(0, 0, 10, 10))


def test_a_layer_with_thousands_of_polygons_of_others(path, opened):
    shapes = [shapely.multipolygons([box(20 * i, 0, 20 * i + 10, 10)]) for i in range(5000)]
    kinds = ["tree" if i % 2 else "road" for i in range(5000)]
    append(path, shapes, {"kind": kinds, "number": range(5000)}, "trees", "MultiPolygon")
    store = opened(attribute="kind")
    assert len(store.labels) == 5000
    store.rename_class(store.version, "tree", "tall tree")
    store.erase(store.version, box(-1, 4, 25, 6))
    store.undo(store.version)
    store.undo(store.version)
    columns = pyogrio.raw.read(path, layer="trees")[3]
    assert sorted(columns[1].tolist()) == list(range(5000))  # other columns come back as well
    assert set(columns[0].tolist()) == {"tree", "road"}


def test_nothing_is_left_beside_a_closed_file(store, path, tmp_path):
    draw(store, box(0, 0, 10, 10))
    store.close()
    assert [p.name for p in tmp_path.iterdir()] == ["city.gpkg"]


@pytest.mark.parametrize("shape", [LineString([(0, 0), (5, 5)]), box(0, 0, 0, 5)])
def test_a_stroke_without_area_is_refused(store, shape):
    with pytest.raises(RefusedError, match="no area"):
        draw(store, shape)


def test_a_stroke_that_crosses_itself_is_mended(store):
    draw(store, shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]))
    assert areas(store) == {"pool": [25.0, 25.0]}


def test_files_that_cannot_be_used_are_told(tmp_path, opened, write_layer):
    with pytest.raises(ConfigError, match="not the name of a GeoPackage"):
        opened(path=tmp_path / "labels.shp")
    (tmp_path / "text.gpkg").write_text("no database")
    with pytest.raises(DataError, match="cannot be opened as a GeoPackage"):
        opened(path=tmp_path / "text.gpkg")
    points = write_layer([shapely.Point(0, 0)], ["well"], "points.gpkg")
    with pytest.raises(DataError, match="the page draws polygons"):
        opened(path=points)
    other = write_layer([box(0, 0, 1, 1)], ["pool"], "other.gpkg", attribute="kind")
    with pytest.raises(DataError, match=r"no attribute 'class'; it has kind.*labels\.attribute"):
        opened(path=other)
