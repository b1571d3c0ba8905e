from types import SimpleNamespace

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box
from tests.fixtures.ground import Frame

from terrashot.data.labels.layer import read_layer
from terrashot.errors import DataError

BOW_TIE = Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".fgb"])
def test_every_format_gives_the_same_objects(write_layer, suffix):
    crs = "EPSG:4326" if suffix == ".geojson" else "EPSG:32640"
    path = write_layer([box(0, 0, 1, 1), box(2, 0, 3, 1)], ["pool", "court"], f"a{suffix}", crs)
    layer = read_layer(path)
    by_name = dict(zip(layer.classes, layer.shapes, strict=True))
    assert by_name["pool"].equals(box(0, 0, 1, 1))
    assert by_name["court"].equals(box(2, 0, 3, 1))
    assert layer.names == ["court", "pool"]
    assert layer.objects() == {"court": 1, "pool": 1}
    assert layer.crs.to_epsg() == int(crs.split(":")[1])
    assert layer.notes == ()


def test_shapes_are_mended_taken_apart_and_flattened(write_layer):
    shapes = [
        BOW_TIE,
        MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 6)]),
        GeometryCollection([Point(1, 1), LineString([(0, 0), (1, 1)])]),
        Polygon([(0, 0, 7), (1, 0, 7), (1, 1, 7)]),
        None,
        Polygon(),
        Polygon([(0, 0), (1, 1), (2, 2)]),
    ]
    layer = read_layer(write_layer(shapes, ["a", "b", "c", "d", "e", "f", "g"]))
    kinds = [shape.geom_type for shape in layer.shapes]
    assert kinds == ["Polygon"] * 4 + ["Point", "LineString", "Polygon"]
    assert list(layer.classes) == ["a", "a", "b", "b", "c", "c", "d"]
    assert shapely.area(layer.shapes[:2]).sum() == pytest.approx(8)
    assert not shapely.has_z(layer.shapes).any()
    assert shapely.is_valid(layer.shapes).all()
    assert layer.objects() == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert layer.notes == (
        "2 object(s) without a geometry left out",
        "2 invalid geometry(ies) mended",
        "1 object(s) without length or area left out",
    )


def test_values_of_the_attribute_become_names(write_layer):
    boxes = [box(i, 0, i + 1, 1) for i in range(4)]
    layer = read_layer(write_layer(boxes, [" pool ", None, "", "court"]))
    assert list(layer.classes) == ["pool", "court"]
    assert layer.rows.tolist() == [0, 3]
    assert layer.notes == ("2 object(s) without a value of 'class' left out",)


def test_an_object_like_a_geodataframe_is_a_layer():
    crs = SimpleNamespace(to_wkt=CRS.from_epsg(32640).to_wkt)  # as pyproj's
    frame = Frame([box(0, 0, 1, 1), Point(3, 3), None], crs, code=[3.0, 4.0, 3.0])
    layer = read_layer(frame, attribute="code")
    assert layer.names == ["3", "4"]
    assert layer.crs.to_epsg() == 32640
    assert layer.notes == ("1 object(s) without a geometry left out",)


def test_a_layer_is_chosen_by_its_name(write_layer):
    path = write_layer([box(0, 0, 1, 1)], ["pool"], layer="sports")
    write_layer([box(0, 0, 1, 1)], ["x"], layer="areas", append=True)
    assert read_layer(path, layer="sports").names == ["pool"]
    assert read_layer(path, None, "areas", "support.areas").names == [""]
    with pytest.raises(DataError, match=r"has 2 layers: sports, areas.*support\.layer="):
        read_layer(path)
    with pytest.raises(DataError, match=r"no layer 'sport'.*support\.areas_layer="):
        read_layer(path, None, "sport", "support.areas")


def test_what_cannot_be_a_layer_is_told(write_layer, tmp_path):
    with pytest.raises(DataError, match=r"support.labels=.*none\.gpkg: there is no such file"):
        read_layer(tmp_path / "none.gpkg")
    (tmp_path / "broken.gpkg").write_text("hello")
    with pytest.raises(DataError, match=r"broken\.gpkg cannot be read as a vector file"):
        read_layer(tmp_path / "broken.gpkg")
    with pytest.raises(DataError, match=r"support\.labels is a int"):
        read_layer(3)
    path = write_layer([box(0, 0, 1, 1)], ["pool"], attribute="Klass")
    with pytest.raises(DataError, match=r"no attribute 'class'; it has Klass.*mean Klass\?"):
        read_layer(path)
    with pytest.raises(DataError, match=r"holds no object that could be used \(1 row"):
        read_layer(write_layer([None], ["pool"], "null.gpkg"))
    empty = tmp_path / "empty.gpkg"
    pyogrio.raw.write(
        empty, np.empty(0, object), [np.empty(0, object)], ["class"], geometry_type="Polygon",
        crs="EPSG:32640",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"holds no object that could be used \(0 row"):
        read_layer(empty)
