"""Scenes and folders of any name through ``run.py experiment=predict``."""

import numpy as np
from tests.fixtures.maps import FILES, read, visible


def test_paths_with_any_characters_can_be_typed(map_scenes, write_raster, paint, ids):
    scene = write_raster("in, (new)/scène=1 [b].tif", paint(ids))
    assert map_scenes(scene) == 0
    np.testing.assert_array_equal(read(map_scenes.maps / "scène=1 [b].tif")[0], ids)


def test_names_that_are_syntax_to_gdal_and_hydra_are_mapped_with_all_products(
    map_scenes, write_raster, paint, ids, tmp_path
):
    scene = write_raster("in, ${x}/final!;\t'1'.tif", paint(ids))
    maps = tmp_path / "maps! (${x}=1),2"
    assert map_scenes(scene, f"output={maps}", "output.polygons=true") == 0
    names = {name.replace("scene", scene.stem) for name in FILES}
    names |= {f"{scene.stem}_polygons.gpkg", f"{scene.stem}_polygons.qml"}
    assert visible(maps) == names
    assert map_scenes(scene, f"output={maps}", "output.polygons=true") == 0


def test_a_scene_behind_a_link_into_the_output_folder_stays_as_it_is(
    map_scenes, write_raster, paint, ids, capsys
):
    scene = write_raster("maps/scene.tif", paint(ids))
    before = scene.read_bytes()
    link = map_scenes.maps.parent / "in/scene.tif"
    link.parent.mkdir()
    link.symlink_to(scene)
    assert map_scenes(link) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"{scene} is to be written for the scene scene.tif, but it is the same file as" in said
    assert scene.read_bytes() == before
    assert list(map_scenes.maps.iterdir()) == [scene]
    assert map_scenes(link, f"output={map_scenes.maps}2") == 0
