"""Scenes that lie elsewhere through ``run.py experiment=predict``."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from rasterio.transform import from_origin

PLACE = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 0.5, 0.5)}
COG = {"driver": "COG", "blocksize": 128, "compress": "deflate", **PLACE}
OPTIONS = ["output.confidence=true", "mapping.overlap=64", "mapping.batch_size=2"]


@pytest.fixture
def noise():
    """Colours between those of classes: whatever a window adds decides many pixels."""
    return np.random.default_rng(0).integers(0, 255, (3, 1200, 300)).astype(np.uint8)


def products(folder):
    """The files of all maps, whole; the project also knows whether the scene lies here."""
    kept = [p for p in folder.iterdir() if not p.name.startswith(".") and p.suffix != ".qgz"]
    return {p.name: p.read_bytes() for p in kept}


def everything(folder):
    return [p for p in folder.rglob("*") if p.is_file()]


def test_maps_from_an_address_are_those_of_the_file(map_scenes, served, write_raster, noise):
    path = write_raster("www/scene.tif", noise, **COG)
    assert map_scenes(path, *OPTIONS) == 0
    here = products(map_scenes.maps)
    shutil.rmtree(map_scenes.maps)
    assert map_scenes(f"{served.url}/scene.tif", *OPTIONS) == 0
    assert products(map_scenes.maps) == here
    (note,) = map_scenes.results()["scenes"]
    assert note["scene"] == f"{served.url}/scene.tif"


def test_a_map_goes_on_after_a_cut_connection_with_the_very_same_bytes(
    map_scenes, served, write_raster, noise, color_model, capsys
):
    write_raster("www/scene.tif", noise, **COG)
    address = f"{served.url}/scene.tif"
    assert map_scenes(address, *OPTIONS, "mapping.requests=1") == 0
    whole, total = products(map_scenes.maps), color_model.windows
    asked = len(served.ranges())
    shutil.rmtree(map_scenes.maps)

    served.faults({"path": "scene.tif", "kind": "cut", "after": asked - 10})
    assert map_scenes(address, *OPTIONS, "mapping.requests=1") == 1
    told = capsys.readouterr().err
    assert f"{address}: rows " in told
    assert "To go on: terrashot experiment=predict" in told
    assert f"input={address}" in told
    assert products(map_scenes.maps) == {}
    assert 0 < len(list((map_scenes.maps / ".mapping/scene").rglob("row_*.tif"))) < 18

    served.faults()
    assert map_scenes(address, *OPTIONS) == 0
    assert 0 < color_model.windows < total
    assert "rows of windows are done" in capsys.readouterr().out
    assert products(map_scenes.maps) == whole


def test_no_signature_is_kept_and_a_new_one_finds_what_is_finished(
    map_scenes, served, write_raster, paint, color_model, capsys, tmp_path, monkeypatch
):
    write_raster("www/scene.tif", paint(np.ones((200, 200), np.uint8)), **COG)
    address = f"{served.url}/scene.tif?sv=2024&sig="
    with monkeypatch.context() as patch:
        patch.setattr(color_model.__class__, "forward", None)
        with pytest.raises(TypeError):
            map_scenes(f"{address}SECRET1")
    assert map_scenes(f"{address}SECRET2") == 0
    assert map_scenes(f"{address}SECRET3") == 0
    assert color_model.windows == 0
    assert "1 of them finished already" in capsys.readouterr().out.replace("\n", " ")
    served.faults({"path": "scene.tif", "kind": 403, "all": True})
    assert map_scenes(f"{address}SECRET4") == 1
    told = "".join(capsys.readouterr())
    assert "SECRET" not in told
    kept = [p for name in ("maps", "logs") for p in everything(tmp_path / name)]
    assert len(kept) > 8
    for path in kept:
        assert b"SECRET" not in path.read_bytes(), path
    info = json.loads((tmp_path / "logs/predict/latest/run.json").read_text())
    assert f"{served.url}/scene.tif?..." in info["command"]
    (note,) = map_scenes.results()["scenes"]
    assert note["scene"] == f"{served.url}/scene.tif?..."


def test_a_scene_of_another_address_replaces_no_map(
    map_scenes, served, write_raster, paint, capsys
):
    for place in ("one", "two"):
        write_raster(f"www/{place}/scene.tif", paint(np.ones((100, 100), np.uint8)), **COG)
    assert map_scenes(f"{served.url}/one/scene.tif") == 0
    assert map_scenes(f"{served.url}/two/scene.tif") == 1
    assert "it is the map of another scene of that name" in capsys.readouterr().err
    assert map_scenes(served.folder / "two/scene.tif") == 1


def test_scenes_of_a_catalogue_are_named_after_their_items(map_scenes, served, write_raster, paint):
    pytest.importorskip("pystac_client", reason="the extra `stac` is not installed")
    write_raster("www/x/B.tif", paint(np.ones((100, 100), np.uint8)), **COG)
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "N18_2023.A", "geometry": None,
        "properties": {"datetime": "2023-07-01T10:00:00Z"}, "links": [],
        "assets": {"image": {"href": "./x/B.tif", "roles": ["data"]}},
    }  # fmt: skip
    (served.folder / "item.json").write_text(json.dumps(item))
    assert map_scenes(f"stac:{served.url}/item.json#date=2023&asset=image") == 0
    assert {"N18_2023.A.tif", "N18_2023.A.png"} <= products(map_scenes.maps).keys()
    assert map_scenes(f"stac:{served.folder / 'item.json'}") == 1  # the same name, another place


def test_an_archive_is_read_and_not_written_over(map_scenes, write_raster, paint, tmp_path):
    path = write_raster("scene.tif", paint(np.ones((100, 100), np.uint8)), **PLACE)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "in/scene.tif")
    assert map_scenes(f"/vsizip/{tmp_path / 'a.zip'}/in/scene.tif") == 0
    assert "scene.tif" in products(map_scenes.maps)


def test_a_line_that_is_down_is_said_before_anything_is_written(map_scenes, short_waits, capsys):
    assert map_scenes("http://127.0.0.1:9/scene.tif") == 1
    assert "http://127.0.0.1:9/scene.tif cannot be read" in capsys.readouterr().err
    assert not map_scenes.maps.exists()


@pytest.mark.slow
def test_maps_from_s3_are_those_of_the_file_and_no_key_is_kept(
    map_scenes, s3, write_raster, noise, tmp_path
):
    path = write_raster("scene.tif", noise, **COG)
    assert map_scenes(path, *OPTIONS) == 0
    here = products(map_scenes.maps)
    shutil.rmtree(map_scenes.maps)
    s3("scenes/a/scene.tif", path.read_bytes())
    assert map_scenes("s3://scenes/a/scene.tif", *OPTIONS) == 0
    assert products(map_scenes.maps) == here
    for kept in [p for name in ("maps", "logs") for p in everything(tmp_path / name)]:
        assert b"secretofthetests" not in kept.read_bytes(), kept
    shutil.rmtree(map_scenes.maps)
    assert map_scenes("s3://scenes/a/missing.tif") == 1
    assert not map_scenes.maps.exists()
