import sqlite3

from shapely import box

from terrashot.data.labels.colors import CLASSES, class_colors
from terrashot.data.labels.layer import read_layer


def test_a_table_of_classes_gives_their_colours(write_layer):
    path = write_layer([box(0, 0, 1, 1), box(2, 0, 3, 1)], ["pool", "it's a court"])
    assert class_colors(path) == {}
    assert read_layer(path).colors == {}
    with sqlite3.connect(path) as file:
        file.execute(f"CREATE TABLE {CLASSES} (id INTEGER PRIMARY KEY, name TEXT, color TEXT)")
        file.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES (?, ?, ?)",
            (CLASSES, "attributes", CLASSES),
        )
        rows = [("it's a court", "#0102ff"), ("nothing drawn", "#0102fe")]
        file.executemany(f"INSERT INTO {CLASSES} (name, color) VALUES (?, ?)", rows)
    file.close()
    assert class_colors(path) == dict(rows)
    assert read_layer(path).colors == {"it's a court": "#0102ff"}
    assert class_colors(path.with_suffix(".geojson")) == {}
