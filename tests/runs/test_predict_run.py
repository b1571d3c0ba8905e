"""Scenes through ``run.py experiment=predict``, with a model that knows classes by their colour."""

import csv
import shutil

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.transform import from_origin
from tests.fixtures.maps import FILES, PLACE, TILED, read, visible

import terrashot
from terrashot.adaptation.temperature import Calibration
from terrashot.app.main import main


def test_a_known_shape_lies_at_its_coordinates_to_the_pixel(map_scenes, write_raster, paint, ids):
    scene = write_raster("in/scene.tif", paint(ids), **PLACE, **TILED)
    assert map_scenes(scene) == 0
    with rasterio.open(map_scenes.maps / "scene.tif") as found:
        np.testing.assert_array_equal(found.read(1), ids)
        assert found.crs.to_epsg() == 32633
        assert found.transform == PLACE["transform"]
        x, y = 400_000 + 0.5 * 131, 5_000_000 - 0.5 * 117  # the pool's upper left corner
        inside, left, above = (x + 0.1, y - 0.1), (x - 0.1, y - 0.1), (x + 0.1, y + 0.1)
        assert [int(v[0]) for v in found.sample([inside, left, above])] == [3, 2, 2]


def test_the_map_is_a_cloud_optimised_geotiff_with_palette_and_names(
    map_scenes, write_raster, paint, color_model, tmp_path
):
    ids = np.arange(1500 * 1100).reshape(1500, 1100) // 300 % 4
    assert map_scenes(write_raster("in/scene.tif", paint(ids), **PLACE), "mapping.window=1024") == 0
    with rasterio.open(map_scenes.maps / "scene.tif") as found:
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert found.block_shapes == [(512, 512)]
        assert found.overviews(1) == [2, 4]
        assert found.nodata == 255
        assert found.colormap(1)[3] == (*color_model.taxonomy.classes[3].rgb, 255)
        assert found.tags()["CLASS_3"] == "pool"
        assert found.descriptions == ("class",)
    names = (map_scenes.maps / "scene.tif.aux.xml").read_text()
    assert "<Category>pool</Category>" in names
    assert visible(map_scenes.maps) == FILES
    assert not list((map_scenes.maps / ".mapping").rglob("*.tif"))  # rows at work are gone


def test_confidence_and_chosen_probabilities_are_percent(map_scenes, write_raster, paint, ids):
    array = paint(ids)
    array[:, 250:] = 0
    scene = write_raster("in/scene.tif", array, nodata=0, **PLACE)
    options = ["output.confidence=true", "output.probabilities=[pool,tree]", "output.picture=false"]
    assert map_scenes(scene, *options) == 0
    confidence = read(map_scenes.maps / "scene_confidence.tif")[0]
    assert set(np.unique(confidence[:250])) <= set(range(95, 101))
    with rasterio.open(map_scenes.maps / "scene_probabilities.tif") as found:
        assert found.descriptions == ("pool", "tree")
        assert found.units == ("percent", "percent")
        probabilities = found.read()
    assert (probabilities[0, :250][ids[:250] == 3] > 95).all()
    assert (probabilities[0, :250][ids[:250] != 3] < 5).all()
    for path in map_scenes.maps.glob("*.tif"):
        assert (read(path)[:, 250:] == 255).all()  # nodata stays nodata
    classes = read(map_scenes.maps / "scene.tif")[0]
    np.testing.assert_array_equal(classes[:250], ids[:250])


def test_confidence_says_whether_it_is_calibrated_and_the_map_stays(
    map_scenes, write_raster, paint, ids, color_model, monkeypatch
):
    scene = write_raster("in/scene.tif", paint(ids), **PLACE)
    options = ["output.confidence=true", "output.probabilities=[pool]", "output.picture=false"]
    assert map_scenes(scene, *options) == 0
    plain, classes = (read(map_scenes.maps / f"scene{end}.tif") for end in ("_confidence", ""))
    for end in ("_confidence", "_probabilities"):
        with rasterio.open(map_scenes.maps / f"scene{end}.tif") as found:
            assert found.tags()["CALIBRATED"] == "no"
            assert found.tags()["CALIBRATION"].startswith("not calibrated: ")
    monkeypatch.setattr(color_model, "calibration", Calibration(8.0, "9 tiles"), raising=False)
    shutil.rmtree(map_scenes.maps)
    assert map_scenes(scene, *options) == 0
    with rasterio.open(map_scenes.maps / "scene_confidence.tif") as found:
        assert found.tags()["CALIBRATED"] == "yes"
        assert found.tags()["CALIBRATION"] == "calibrated with temperature 8, fitted to 9 tiles"
        cautious = found.read(1)
    with rasterio.open(map_scenes.maps / "scene.tif") as found:
        assert "CALIBRATED" not in found.tags()
        np.testing.assert_array_equal(found.read(), classes)
    assert cautious.mean() < plain.mean() - 2


@pytest.mark.parametrize(
    "options",
    [
        ["mapping.views=dihedral"],
        ["mapping.batch_size=3"],
        ["mapping.window=64", "mapping.overlap=0"],
    ],
    ids=["views", "batches", "no overlap"],
)
def test_views_batches_and_windows_find_the_same_shape(
    map_scenes, write_raster, paint, ids, options
):
    assert map_scenes(write_raster("in/scene.tif", paint(ids)), *options) == 0
    np.testing.assert_array_equal(read(map_scenes.maps / "scene.tif")[0], ids)


def test_a_scene_without_reference_system_keeps_pixel_coordinates_with_a_warning(
    map_scenes, write_raster, paint, ids, capsys
):
    assert map_scenes(write_raster("in/scene.tif", paint(ids))) == 0
    assert "scene.tif has no reference system" in " ".join(capsys.readouterr().out.split())
    with rasterio.open(map_scenes.maps / "scene.tif") as found:
        assert found.crs is None
        assert found.transform.is_identity


def test_sixteen_bit_scenes_are_mapped_when_the_scale_is_given(
    map_scenes, write_raster, paint, ids, capsys
):
    deep = paint(ids).astype("uint16") * 10
    scene = write_raster("in/scene.tif", deep, **PLACE)
    assert map_scenes(scene) == 1
    assert "input.scale" in capsys.readouterr().err
    assert visible(map_scenes.maps) == set()
    assert map_scenes(scene, "input.scale=[0,2550]") == 0
    np.testing.assert_array_equal(read(map_scenes.maps / "scene.tif")[0], ids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["ckpt=null"], "experiment=adapt"),
        (["mapping.window=100"], "multiple of 32"),
        (["mapping.views=all"], "plain, flips, dihedral"),
        (["output.probabilities=[lake]"], "'lake'"),
        (["input=nowhere"], "no such file or folder"),
        (["output=null"], "output has no value"),
        (["method=diam"], "method is no setting of experiment=predict"),
        (["mapping.batch_size=0"], "at least 1"),
        (["input.scale=12"], "LOW below HIGH"),
    ],
)
def test_bad_settings_are_one_clear_paragraph_and_nothing_is_written(
    map_scenes, write_raster, paint, ids, capsys, options, message
):
    assert map_scenes(write_raster("in/scene.tif", paint(ids)), *options) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert visible(map_scenes.maps) == set()


def test_a_stage_1_network_maps_its_base_classes(
    repository, write_raster, paint, ids, trained, tmp_path, capsys
):
    scene = write_raster("in/scene.tif", paint(ids), **PLACE)
    run = ["experiment=predict", f"input={scene}", "trainer.accelerator=cpu"]
    run += [f"paths.logs={tmp_path / 'logs'}", "mapping.window=128", "mapping.overlap=32"]
    found = []
    for number, name in enumerate(("stage1/latest", "stage1/latest/checkpoints/best.ckpt")):
        folder = tmp_path / f"maps{number}"
        checkpoint = (trained / name).resolve()
        given = [*run, f"ckpt={checkpoint}", f"output={folder}"]
        assert main(repository / "configs", given) == 0
        assert "the maps show its base classes alone" in " ".join(capsys.readouterr().out.split())
        found.append(read(folder / "scene.tif"))
        assert visible(folder) == FILES
    np.testing.assert_array_equal(*found)
    with rasterio.open(tmp_path / "maps0/scene.tif") as map_file:
        assert map_file.crs.to_epsg() == 32633
        assert map_file.shape == ids.shape
    model = terrashot.load(trained / "stage1/latest")
    assert len(model.classes) == 8
    assert found[0].max() < 8
    with (tmp_path / "maps0/scene_areas.csv").open() as file:
        names = [row["class"] for row in csv.DictReader(file)]
    assert set(names) <= set(model.classes)
    assert main(repository / "configs", [*run, f"ckpt={tmp_path}", f"output={tmp_path}"]) == 1
    assert "experiment=stage1 or experiment=adapt" in " ".join(capsys.readouterr().err.split())


def test_real_tiles_keep_their_place_on_earth(map_scenes, shared):
    tiles = sorted((shared / "data/oem_samples/images").glob("*.tif"))
    assert map_scenes(tiles[0].parent, "mapping.window=512") == 0
    assert len(tiles) == 4
    for tile in tiles:
        with rasterio.open(tile) as scene, rasterio.open(map_scenes.maps / tile.name) as found:
            assert found.shape == scene.shape
            assert found.crs == scene.crs
            assert found.transform.almost_equals(scene.transform, 1e-9)
            assert found.overviews(1)
            assert found.read(1).max() < 4  # no pixel is left out


def test_a_mosaic_of_tiles_is_mapped_in_one_piece(map_scenes, write_raster, shared):
    tiles = sorted((shared / "data/dubai/testset/images").glob("*.tif"))
    whole = [t for t in map(read, tiles) if t.shape == (3, 512, 512)][:4]
    rows = [np.concatenate(whole[i : i + 2], axis=2) for i in (0, 2)]
    scene = write_raster("in/mosaic.tif", np.concatenate(rows, axis=1), **PLACE)
    assert map_scenes(scene, "mapping.window=256") == 0
    with rasterio.open(map_scenes.maps / "mosaic.tif") as found:
        assert found.shape == (1024, 1024)
        assert found.crs.to_epsg() == 32633
        assert found.transform == PLACE["transform"]


def test_products_are_made_with_the_map_and_afterwards_without_mapping_again(
    map_scenes, write_raster, paint, ids, color_model
):
    scene = write_raster("in/scene.tif", paint(ids), **PLACE, **TILED)
    assert map_scenes(scene) == 0
    lines = (map_scenes.maps / "scene_areas.csv").read_text().splitlines()
    hectares = {row[1]: float(row[4]) for row in csv.reader(lines[1:])}
    assert hectares["pool"] == pytest.approx((ids == 3).sum() * 0.25 / 1e4, abs=1e-4)
    assert map_scenes(scene, "output.polygons=true") == 0
    assert color_model.windows == 0
    polygons = {"scene_polygons.gpkg", "scene_polygons.qml"}
    assert visible(map_scenes.maps) == FILES | polygons
    assert pyogrio.read_info(map_scenes.maps / "scene_polygons.gpkg")["features"] > 3
    assert map_scenes(scene, "output.polygons=true", "output.minimum_mapping_unit=1e9") == 0
    assert pyogrio.read_info(map_scenes.maps / "scene_polygons.gpkg")["features"] > 3
    assert map_scenes(scene, "output.minimum_mapping_unit=5") == 1  # of polygons that are not asked


def test_rules_mend_the_map_before_it_appears(map_scenes, write_raster, paint, ids, color_model):
    specks = ids.copy()
    specks[10:14, 10:14] = 3
    specks[126:130, 62:66] = 1  # across windows
    scene = write_raster("in/scene.tif", paint(specks), **PLACE, **TILED)
    assert map_scenes(scene, "postprocess=clean", "postprocess.rules.size.pixels=50") == 0
    with rasterio.open(map_scenes.maps / "scene.tif") as found:
        np.testing.assert_array_equal(found.read(1), ids)
        assert found.transform == PLACE["transform"]
        assert found.tags()["POSTPROCESS"] == "holes, size"
        assert found.tags()["EXTERNAL_MASKS"] == "no"
        assert found.colormap(1)[3] == (*color_model.taxonomy.classes[3].rgb, 255)
    assert map_scenes(scene, "postprocess=null") == 0  # other settings, another map
    np.testing.assert_array_equal(read(map_scenes.maps / "scene.tif")[0], specks)


def test_masks_that_do_not_lie_on_the_scene_are_refused(
    map_scenes, write_raster, paint, ids, tmp_path, capsys
):
    scene = write_raster("in/scene.tif", paint(ids), **PLACE)
    rule = (
        "+postprocess={_target_: terrashot.mapping.postprocess.chain.PostProcess, rules: {pools: "
        "{_target_: terrashot.mapping.postprocess.paste_masks.PasteMasks, class_name: pool, "
        f"folder: {tmp_path / 'masks'}}}}}}}"
    )
    moved = {**PLACE, "transform": from_origin(400_010, 5_000_000, 0.5, 0.5)}
    mask = np.zeros((1, *ids.shape), np.uint8)
    mask[0, 5:9, 5:9] = 255
    write_raster("masks/scene.tif", mask, **moved)
    assert map_scenes(scene, rule) == 1
    assert "begins at 400010, 5000000, but 'scene'" in " ".join(capsys.readouterr().err.split())
    assert visible(map_scenes.maps) == set()
    write_raster("masks/scene.tif", mask, **PLACE)
    assert map_scenes(scene, rule) == 0
    expected = np.where(mask[0] == 255, 3, ids)
    np.testing.assert_array_equal(read(map_scenes.maps / "scene.tif")[0], expected)
    assert map_scenes.results()["external_masks"] is True
