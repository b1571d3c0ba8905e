"""The project of a folder of maps, against the elements that QGIS reads."""

import shutil
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from terrashot.mapping.ledger import Ledger
from terrashot.mapping.products import ProductOptions, write_products
from terrashot.mapping.qgis_project import PROJECT_NAME, folder_project, is_own_project
from terrashot.taxonomy import Taxonomy

UTM = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_200_000, 0.5, 0.5)}
DEGREES = {"crs": "EPSG:4326", "transform": from_origin(15.01, 46.9, 1e-5, 1e-5)}
TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "sea, lake & pond", "color": "#0045ff"}],
        "novel": [{"name": "road <1>", "color": "#ffffff"}],
    }
)


@pytest.fixture
def folder(tmp_path):
    """``folder(stem, place, ...)`` notes a map with what lies beside it; returns the ledger."""
    ledger = Ledger(tmp_path / "maps")
    (tmp_path / "in").mkdir()

    def add(stem, place, confidence=True, polygons=True, scene=True):
        ledger.output.mkdir(exist_ok=True)
        ids = np.zeros((60, 80), np.uint8)
        ids[10:30, 10:50], ids[40:50, 20:70], ids[:, 75:] = 1, 2, 255
        profile = {"driver": "GTiff", "height": 60, "width": 80, "dtype": "uint8", "nodata": 255}
        files = [ledger.output / f"{stem}.tif"]
        with rasterio.open(files[0], "w", count=1, **profile, **place) as target:
            target.write(ids, 1)
            palette = enumerate(map(tuple, TAXONOMY.palette().tolist()))
            target.write_colormap(1, dict(palette))
            target.update_tags(**{f"CLASS_{c.index}": c.name for c in TAXONOMY.classes})
        if confidence:
            files.append(ledger.output / f"{stem}_confidence.tif")
            with rasterio.open(files[-1], "w", count=1, **profile, **place) as target:
                target.write(ids * 40, 1)
        options = ProductOptions(polygons=polygons)
        files += write_products(files[0], ledger.output / stem, TAXONOMY, options)
        image = tmp_path / "in" / f"{stem}.tif"
        if scene:
            shutil.copy(files[0], image)
        ledger.finish(stem, "digest", files, {"scene": str(image)})
        return ledger

    return add


def read(ledger):
    with zipfile.ZipFile(ledger.output / PROJECT_NAME) as archive:
        assert archive.namelist() == ["maps.qgs"]
        return ElementTree.fromstring(archive.read("maps.qgs"))


def test_each_scene_is_a_group_with_all_that_was_made_of_it(folder):
    folder("city 1", UTM)
    ledger = folder("plain", UTM, confidence=False, polygons=False, scene=False)
    assert folder_project(ledger) == ledger.output / PROJECT_NAME
    root = read(ledger)
    groups = root.findall("layer-tree-group/layer-tree-group")
    assert [group.get("name") for group in groups] == ["city 1", "plain"]
    shown = [(n.get("name"), n.get("source"), n.get("providerKey")) for n in groups[0]]
    assert shown == [
        ("city 1: polygons", "./city 1_polygons.gpkg", "ogr"),
        ("city 1: confidence, %", "./city 1_confidence.tif", "gdal"),
        ("city 1: classes", "./city 1.tif", "gdal"),
        ("city 1: image", "../in/city 1.tif", "gdal"),
    ]
    assert [node.get("checked") for node in groups[0]] == [
        *["Qt::Unchecked"] * 2,
        *["Qt::Checked"] * 2,
    ]
    assert [node.get("name") for node in groups[1]] == ["plain: classes"]
    layers = {layer.findtext("id"): layer for layer in root.findall("projectlayers/maplayer")}
    assert set(layers) == {node.get("id") for group in groups for node in group}
    assert {layer.get("id") for layer in root.findall("layerorder/layer")} == set(layers)
    for node in (node for group in groups for node in group):
        assert layers[node.get("id")].findtext("datasource") == node.get("source")
        assert layers[node.get("id")].findtext("srs/spatialrefsys/authid") == "EPSG:32633"
    assert all(len(identity) > 10 for identity in layers)  # QGIS replaces shorter ones
    assert root.findtext("properties/Paths/Absolute") == "false"
    assert root.findtext("properties/SpatialRefSys/ProjectionsEnabled") == "1"


def test_classes_have_the_names_and_colours_of_the_map_itself(folder):
    ledger = folder("city", UTM)
    folder_project(ledger)
    root = read(ledger)
    layers = {layer.findtext("layername"): layer for layer in root.iter("maplayer")}
    entries = layers["city: classes"].findall("pipe/rasterrenderer/colorPalette/paletteEntry")
    assert [(e.get("value"), e.get("label"), e.get("color")) for e in entries] == [
        ("0", "background", "#000000"),
        ("1", "sea, lake & pond", "#0045ff"),
        ("2", "road <1>", "#ffffff"),
    ]
    renderer = layers["city: polygons"].find("renderer-v2")
    assert renderer is not None
    assert renderer.get("attr") == "class_id"
    ramp = layers["city: confidence, %"].find("pipe/rasterrenderer/rastershader/colorrampshader")
    assert ramp is not None
    assert [item.get("value") for item in ramp] == ["0", "50", "100"]


def test_the_extent_covers_scenes_of_several_reference_systems(folder):
    folder("a", UTM)
    ledger = folder("b", DEGREES)
    folder_project(ledger)
    root = read(ledger)
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:32633"
    extent = root.find("mapcanvas/extent")
    assert extent is not None
    left, bottom, right, top = (float(e.text) for e in extent)
    assert left < 500_000 < 500_040 < right
    assert bottom < 5_193_900 < 5_200_000 < top  # 46.9 degrees north lies further south


def test_maps_without_a_place_have_a_project_too(folder):
    ledger = folder("picture", {}, polygons=False)
    folder_project(ledger)
    root = read(ledger)
    assert root.find("projectCrs") is None
    assert len(root.findall("projectlayers/maplayer")) == 3


def test_the_same_maps_make_the_same_bytes_and_a_new_one_joins_them(folder):
    ledger = folder("city", UTM)
    first = folder_project(ledger).read_bytes()
    assert folder_project(ledger).read_bytes() == first
    folder("village", UTM)
    folder_project(ledger)
    assert len(read(ledger).findall("layer-tree-group/layer-tree-group")) == 2
    (ledger.output / "village.tif").unlink()  # somebody moved it
    assert folder_project(ledger).read_bytes() == first


@pytest.mark.parametrize("kind", ["saved by QGIS", "not a zip", "a link to nowhere"])
def test_a_project_that_terrashot_did_not_write_is_left_as_it_is(folder, kind, tmp_path):
    ledger = folder("city", UTM)
    path = ledger.output / PROJECT_NAME
    if kind == "saved by QGIS":
        folder_project(ledger)
        with zipfile.ZipFile(path) as archive:
            content = archive.read("maps.qgs").replace(b"city: classes", b"my city")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("maps.qgs", content)
    elif kind == "not a zip":
        path.write_text("notes")
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = None if path.is_symlink() else path.read_bytes()
    assert not is_own_project(path)
    assert folder_project(ledger) is None
    assert path.is_symlink() or path.read_bytes() == before


def test_names_that_xml_can_not_hold_are_left_out(folder):
    folder("city", UTM, polygons=False)
    ledger = folder("bell\x07", UTM, polygons=False)
    folder_project(ledger)
    names = [g.get("name") for g in read(ledger).findall("layer-tree-group/layer-tree-group")]
    assert names == ["city"]


def test_a_folder_without_maps_has_none(tmp_path):
    assert folder_project(Ledger(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
