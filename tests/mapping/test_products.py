import csv
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from scipy import ndimage

from terrashot.errors import DataError
from terrashot.mapping.areas import class_areas
from terrashot.mapping.ground import Ground
from terrashot.mapping.polygon_stream import area_polygons
from terrashot.mapping.products import ProductOptions, is_complete, write_products
from terrashot.mapping.qgis_style import write_polygon_style
from terrashot.taxonomy import Taxonomy

UTM = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)


@pytest.fixture(scope="module")
def taxonomy():
    row = {"background": {"name": "background", "color": "#000000"}}
    row |= {"base": [{"name": "sea, lake & pond", "color": "#0045ff"}]}
    row |= {"novel": [{"name": "road <1>", "color": "#ffffff"}]}
    return Taxonomy.from_dict(row)


@pytest.fixture
def save(tmp_path):
    def write(ids, crs="EPSG:32633", transform=UTM, block=16):
        path = tmp_path / "city.tif"
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "crs": crs}
        profile |= {"tiled": True, "blockxsize": block, "blockysize": block}
        if transform is not None:
            profile["transform"] = transform
        height, width = ids.shape
        with rasterio.open(path, "w", height=height, width=width, **profile) as target:
            target.write(ids, 1)
        return path

    return write


def layer_of(path):
    meta, _, geometry, columns = pyogrio.raw.read(path)
    table = dict(zip(meta["fields"], columns, strict=True))
    return meta, shapely.from_wkb(geometry), table


def areas_of(path):
    with path.open(encoding="utf-8") as file:
        return {row["class"]: row for row in csv.DictReader(file)}


def test_all_products_of_a_map(save, tmp_path, taxonomy):
    ids = np.zeros((40, 60), dtype=np.uint8)
    ids[5:15, 10:30], ids[7:9, 12:14], ids[:, 50:] = 1, 2, 255
    path = save(ids)
    files = write_products(path, tmp_path / "city", taxonomy, ProductOptions(polygons=True))
    names = ["city.qml", "city_areas.csv", "city_polygons.gpkg", "city_polygons.qml"]
    assert [f.name for f in files] == names
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names, "city.tif"])
    table = areas_of(files[1])
    assert table["road <1>"] == {
        "class_id": "2",
        "class": "road <1>",
        "role": "novel",
        "pixels": "4",
        "hectares": "0.0001",
        "percent": "0.2000",
    }
    assert table["sea, lake & pond"]["hectares"] == "0.0049"  # 196 pixels of 0.25 m2
    meta, polygons, fields = layer_of(files[2])
    assert "UTM zone 33N" in meta["crs"] or meta["crs"] == "EPSG:32633"
    assert fields["class_id"].tolist().count(255) == 0
    (lake,) = polygons[fields["class_id"] == 1]
    assert lake.bounds == (500_005, 5_199_992.5, 500_015, 5_199_997.5)
    assert len(lake.interiors) == 1
    for index in range(3):
        own = fields["class_id"] == index
        assert fields["pixels"][own].sum() == (ids == index).sum()
        assert fields["area_m2"][own].sum() == pytest.approx(0.25 * (ids == index).sum())
    assert fields["class"].tolist().count("road <1>") == 1


def test_the_style_is_a_paletted_renderer_that_names_every_class(save, tmp_path, taxonomy):
    path = save(np.zeros((20, 20), dtype=np.uint8))
    (style, _) = write_products(path, tmp_path / "city", taxonomy, ProductOptions())
    assert style == path.with_suffix(".qml")  # where QGIS looks for it
    text = style.read_text()
    assert text.startswith("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis ")
    renderer = ElementTree.fromstring(text).find("pipe/rasterrenderer")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    entries = renderer.findall("colorPalette/paletteEntry")
    shown = [(e.get("value"), e.get("label"), e.get("color"), e.get("alpha")) for e in entries]
    assert shown[1:] == [
        ("1", "sea, lake & pond", "#0045ff", "255"),
        ("2", "road <1>", "#ffffff", "255"),
    ]
    layer = ElementTree.parse(write_polygon_style(tmp_path / "p.qml", taxonomy, "class_id"))
    symbols = {s.get("name") for s in layer.findall("renderer-v2/symbols/symbol")}
    categories = layer.findall("renderer-v2/categories/category")
    assert {c.get("symbol") for c in categories} == symbols
    fill = layer.find("renderer-v2/symbols/symbol[@name='1']/layer/Option/Option[@name='color']")
    assert fill is not None
    assert fill.get("value") == "0,69,255,255"


def test_areas_that_cross_blocks_are_one_polygon_and_small_ones_join_their_neighbour(
    save, tmp_path, taxonomy
):
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.standard_normal((120, 150)), 3) for _ in range(3)]
    ids = np.stack(fields).argmax(axis=0).astype(np.uint8)
    ids[30:50, 40:80] = 255
    path = save(ids)

    def count(of):
        return sum(ndimage.label(of == value)[1] for value in range(3))

    options = ProductOptions(polygons=True, style=False, areas=False)
    (layer, _) = write_products(path, tmp_path / "city", taxonomy, options)
    _, polygons, table = layer_of(layer)
    assert len(polygons) == count(ids)
    assert shapely.is_valid(polygons).all()
    burnt = rasterio.features.rasterize(
        zip(polygons, table["class_id"], strict=True), ids.shape, fill=255, transform=UTM
    )
    np.testing.assert_array_equal(burnt, ids)

    options = ProductOptions(polygons=True, minimum_mapping_unit=20.0)
    (*_, layer, _) = write_products(path, tmp_path / "city", taxonomy, options)
    _, polygons, table = layer_of(layer)
    assert 0 < len(polygons) < count(ids)
    assert table["area_m2"].min() >= 20
    assert table["pixels"].sum() == (ids != 255).sum()
    assert rasterio.open(path).read(1).tolist() == ids.tolist()  # the map itself stays


def test_without_a_reference_system_pixels_are_counted(save, tmp_path, taxonomy):
    ids = np.zeros((30, 20), dtype=np.uint8)
    ids[10:12, 5:8] = 1
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        path = save(ids, crs=None, transform=None)
    options = ProductOptions(polygons=True, minimum_mapping_unit=7)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        _, table, layer, _ = write_products(path, tmp_path / "city", taxonomy, options)
    assert areas_of(table)["sea, lake & pond"]["hectares"] == ""
    assert areas_of(table)["sea, lake & pond"]["percent"] == "1.0000"
    meta, polygons, fields = layer_of(layer)
    assert meta["crs"] is None
    assert fields["pixels"].tolist() == [600]
    assert np.isnan(fields["area_m2"]).all()
    assert polygons[0].bounds == (0, -30, 20, 0)


def square_degree(south):
    """Hectares of a cell of one degree: the ellipsoid's radii of curvature, integrated."""
    squared = 0.00669438
    latitude = np.radians(south + (np.arange(10_000) + 0.5) / 10_000)
    bent = 1 - squared * np.sin(latitude) ** 2
    strip = 6378137**2 * (1 - squared) / bent**2 * np.cos(latitude)
    return strip.mean() * np.radians(1) ** 2 / 1e4


@pytest.mark.parametrize(
    ("crs", "size", "left", "top", "expected"),
    [
        ("EPSG:4326", 0.1, 10, 61.0, square_degree(60)),
        ("EPSG:4326", 0.1, 10, 1.0, square_degree(0)),
        ("EPSG:32633", 100.0, 500_000, 5_200_000, 100.0),
        ("EPSG:2263", 100.0, 10, 200_000, 100 * 0.3048006096**2),  # US survey feet
    ],
)
def test_ground_areas_follow_the_reference_system(save, crs, size, left, top, expected):
    path = save(np.ones((10, 10), dtype=np.uint8), crs, Affine(size, 0, left, 0, -size, top))
    pixels, hectares = class_areas(path)
    assert pixels[1] == 100
    assert hectares[1] == pytest.approx(expected, rel=1e-7)


def test_web_mercator_areas_are_those_on_the_ground(save):
    """A hectare at 60 degrees north is about four of the plane's."""
    y = 6378137 * np.log(np.tan(np.pi / 4 + np.radians(60) / 2))
    transform = Affine(10, 0, 0, 0, -10, y)
    path = save(np.ones((10, 10), dtype=np.uint8), "EPSG:3857", transform)
    _, hectares = class_areas(path)
    assert hectares[1] == pytest.approx(0.25, rel=0.01)
    ground = Ground.of(rasterio.open(path).crs, transform, (10, 10))
    square = np.array([shapely.box(0, y - 100, 100, y)])
    assert ground.shapes(square)[0] == pytest.approx(hectares[1] * 1e4, rel=1e-9)


def test_products_are_complete_when_all_files_are_there_with_these_polygons(
    save, tmp_path, taxonomy
):
    path, stem = save(np.zeros((20, 20), dtype=np.uint8)), tmp_path / "city"
    asked = ProductOptions(polygons=True, minimum_mapping_unit=3.5)
    assert not is_complete(path, stem, asked)
    write_products(path, stem, taxonomy, asked)
    assert is_complete(path, stem, asked)
    assert is_complete(path, stem, ProductOptions())
    assert not is_complete(path, stem, ProductOptions(polygons=True))


def test_a_folder_that_takes_no_files_is_an_error_without_half_a_file(save, tmp_path, taxonomy):
    path = save(np.zeros((20, 20), dtype=np.uint8))
    (tmp_path / "file").touch()
    for options in (ProductOptions(), ProductOptions(areas=False, polygons=True)):
        with pytest.raises(DataError, match="could not be written"):
            write_products(path, tmp_path / "file" / "city", taxonomy, options)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("maps", "final!"),
        ("maps!", "city"),
        ("old;new", "city"),
        ("maps", "city;2"),
        ("maps?", "what?"),
        ("maps.zip", "a!b.zip"),
        ("zip:", "tab\tand space"),
        ("${x}", "{'a': \"b\"}#%20"),
    ],
)
def test_polygons_lie_where_they_should_whatever_the_name(
    save, tmp_path, taxonomy, monkeypatch, folder, name
):
    for empty in ("here", folder):
        (tmp_path / empty).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = save(np.zeros((20, 20), dtype=np.uint8)).rename(tmp_path / folder / f"{name}.tif")
    asked = ProductOptions(polygons=True, minimum_mapping_unit=3.5)
    files = write_products(path, path.with_suffix(""), taxonomy, asked)
    names = {f"{name}{end}" for end in (".qml", "_areas.csv", "_polygons.gpkg", "_polygons.qml")}
    assert {f.name for f in files} == names
    assert {p.name for p in path.parent.iterdir()} == {*names, f"{name}.tif"}
    assert not list((tmp_path / "here").iterdir())
    assert is_complete(path, path.with_suffix(""), asked)
    assert (path.parent / f"{name}_polygons.gpkg").read_bytes()[:15] == b"SQLite format 3"


def test_polygons_of_a_relative_folder_lie_in_it(save, tmp_path, taxonomy, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("maps!").mkdir()
    path = save(np.zeros((20, 20), dtype=np.uint8)).rename(tmp_path / "maps!/city.tif")
    stem = Path("maps!/city")
    write_products(path, stem, taxonomy, ProductOptions(polygons=True))
    assert (tmp_path / "maps!/city_polygons.gpkg").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["maps!"]


@pytest.mark.parametrize("height", [1, 5, 64, 1000])
def test_strips_give_the_polygons_of_one_look_at_the_whole(save, height):
    rng = np.random.default_rng(2)
    fields = [ndimage.gaussian_filter(rng.standard_normal((90, 70)), 2) for _ in range(3)]
    ids = np.stack(fields).argmax(axis=0).astype(np.uint8)
    ids[rng.random(ids.shape) < 0.05] = 255
    whole = [
        (shapely.geometry.shape(shape), int(value))
        for shape, value in rasterio.features.shapes(ids, mask=ids != 255)
    ]
    with rasterio.open(save(ids)) as source:
        found = list(area_polygons(source, height))
    assert len(found) == len(whole) > 50

    def key(area):
        return area[1], area[0].bounds, area[0].area

    for one, other in zip(sorted(found, key=key), sorted(whole, key=key), strict=True):
        assert one[1] == other[1]
        assert shapely.equals(one[0], other[0])
        assert one[0].is_valid
