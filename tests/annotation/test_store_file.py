"""Labels are on the disk when an edit returns, and other programs may use the file meanwhile."""

import shutil
import sqlite3

import pyogrio
import pytest
import shapely
from shapely import LineString, box
from tests.fixtures.label_store import append, areas, draw

from terrashot.annotation.errors import RefusedError, StaleError, UnsavedError
from terrashot.annotation.geometry_blob import add_index_functions
from terrashot.data.labels.layer import read_layer
from terrashot.errors import ConfigError, DataError


def test_a_stroke_is_read_by_others_while_the_page_has_the_file(store, label_path):
    draw(store, box(0, 0, 10, 10))
    layer = read_layer(label_path)  # GDAL, as QGIS reads it; the table of classes is no layer
    assert layer.objects() == {"pool": 1}
    assert layer.crs.to_epsg() == 32640
    columns = pyogrio.raw.read(label_path, layer="labels")
    values = dict(zip(columns[0]["fields"], (c[0] for c in columns[3]), strict=True))
    assert values["author"] == "ada"
    assert values["tool"] == "polygon"
    assert str(values["time"])[:2] == "20"
    assert pyogrio.read_info(label_path, layer="labels")["features"] == 1
    assert [name for name, _ in pyogrio.list_layers(label_path)] == ["labels", "terrashot_classes"]


def test_a_killed_server_loses_nothing(store, label_path, tmp_path, open_store):
    draw(store, box(0, 0, 10, 10))
    draw(store, box(20, 0, 30, 10))
    for name in ("city.gpkg", "city.gpkg-wal"):  # what a disk holds at that moment
        if (tmp_path / name).exists():
            shutil.copy(tmp_path / name, tmp_path / f"killed-{name}")
    after = open_store(path=tmp_path / "killed-city.gpkg")
    assert areas(after) == {"pool": [100.0, 100.0]}
    assert [c.name for c in after.classes] == ["background", "road", "pool"]
    after.undo(after.version)
    assert areas(after) == {"pool": [100.0]}


def test_the_file_alone_is_whole_after_each_stroke(store, label_path, tmp_path):
    draw(store, box(0, 0, 10, 10))
    shutil.copy(label_path, tmp_path / "copy.gpkg")  # without the log beside it
    assert read_layer(tmp_path / "copy.gpkg").objects() == {"pool": 1}


def test_a_page_that_has_not_seen_the_last_edit_is_refused(store):
    seen = store.version
    draw(store, box(0, 0, 10, 10))
    with pytest.raises(StaleError, match="loaded again"):
        store.draw(seen, "pool", box(20, 0, 30, 10), "polygon")
    assert areas(store) == {"pool": [100.0]}
    draw(store, box(20, 0, 30, 10))


def test_another_program_may_write_meanwhile(store, label_path, open_store):
    draw(store, box(0, 0, 10, 10))
    seen = store.version
    append(
        label_path, [box(50, 0, 60, 10)], {"class": ["court"]}, "labels", "Polygon"
    )  # as QGIS does
    with pytest.raises(StaleError):
        store.draw(seen, "pool", box(20, 0, 30, 10), "polygon")
    assert areas(store) == {"pool": [100.0], "court": [100.0]}
    assert [c.name for c in store.classes] == ["background", "road", "pool", "court"]
    other = open_store()  # a second server on the same file
    other.remove(other.version, [store.labels[0].key])
    assert store.version != seen
    assert areas(store) == {"court": [100.0]}
    with pytest.raises(RefusedError, match="nothing to redo"):
        store.redo(store.version)


def test_an_edit_that_another_program_has_changed_is_not_undone(store, label_path):
    draw(store, box(0, 0, 10, 10))
    with sqlite3.connect(label_path) as other:
        add_index_functions(other)
        other.execute("UPDATE labels SET class = 'road'")
    other.close()
    with pytest.raises(RefusedError, match="Another program has changed"):
        store.undo(store.version)
    assert areas(store) == {"road": [100.0]}


def test_a_full_disk_refuses_the_stroke_and_loses_nothing(store, open_store):
    draw(store, box(0, 0, 10, 10))
    connection = store._journal.connection
    connection.execute(f"PRAGMA max_page_count = {1}")  # no more pages than there are
    wiggly = LineString([(i, i % 7) for i in range(20_000)]).buffer(0.1)
    with pytest.raises(UnsavedError, match="no space left on the disk"):
        draw(store, wiggly)
    assert areas(store) == areas(open_store()) == {"pool": [100.0]}
    connection.execute("PRAGMA max_page_count = 1000000")
    draw(store, wiggly)
    assert len(open_store().labels) == 2


def test_a_file_that_another_program_holds_refuses_the_stroke(store, label_path):
    store._journal.connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(label_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnsavedError, match="another program holds the file"):
        draw(store, box(0, 0, 10, 10))
    other.execute("ROLLBACK")
    other.close()
    draw(store, box(0, 0, 10, 10))


def test_a_layer_with_thousands_of_polygons_of_others(label_path, open_store):
    shapes = [shapely.multipolygons([box(20 * i, 0, 20 * i + 10, 10)]) for i in range(5000)]
    kinds = ["tree" if i % 2 else "road" for i in range(5000)]
    append(label_path, shapes, {"kind": kinds, "number": range(5000)}, "trees", "MultiPolygon")
    store = open_store(attribute="kind")
    assert len(store.labels) == 5000
    store.rename_class(store.version, "tree", "tall tree")
    store.erase(store.version, box(-1, 4, 25, 6))
    store.undo(store.version)
    store.undo(store.version)
    columns = pyogrio.raw.read(label_path, layer="trees")[3]
    assert sorted(columns[1].tolist()) == list(range(5000))  # other columns come back as well
    assert set(columns[0].tolist()) == {"tree", "road"}


def test_nothing_is_left_beside_a_closed_file(store, label_path, tmp_path):
    draw(store, box(0, 0, 10, 10))
    store.close()
    assert [p.name for p in tmp_path.iterdir()] == ["city.gpkg"]


def test_files_that_cannot_be_used_are_told(tmp_path, open_store, write_layer):
    with pytest.raises(ConfigError, match="not the name of a GeoPackage"):
        open_store(path=tmp_path / "labels.shp")
    (tmp_path / "text.gpkg").write_text("no database")
    with pytest.raises(DataError, match="cannot be opened as a GeoPackage"):
        open_store(path=tmp_path / "text.gpkg")
    points = write_layer([shapely.Point(0, 0)], ["well"], "points.gpkg")
    with pytest.raises(DataError, match="the page draws polygons"):
        open_store(path=points)
    other = write_layer([box(0, 0, 1, 1)], ["pool"], "other.gpkg", attribute="kind")
    with pytest.raises(DataError, match=r"no attribute 'class'; it has kind.*labels\.attribute"):
        open_store(path=other)
