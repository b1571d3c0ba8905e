import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from tests.fixtures.vrt import write_vrt

from terrashot.errors import ConfigError, DataError
from terrashot.mapping.blending import Layers
from terrashot.mapping.checks import check_output, check_scenes, class_ids
from terrashot.mapping.discovery import find_scenes
from terrashot.mapping.vrt import check_vrt


@pytest.fixture
def scene(write_raster):
    def write(name="a.tif", side=40):
        return write_raster(name, np.zeros((3, side, side), np.uint8))

    return write


def test_a_file_a_folder_and_a_glob_name_scenes(scene, tmp_path):
    paths = [scene(f"s/{n}.tif") for n in "ba"] + [scene("s/deep/c.tif")]
    (tmp_path / "s" / "notes.txt").write_text("no raster")
    assert find_scenes(str(paths[0])) == [paths[0]]
    assert find_scenes(str(tmp_path / "s")) == [paths[1], paths[0]]
    assert find_scenes(str(tmp_path / "s" / "**" / "*.tif")) == [paths[1], paths[0], paths[2]]


def test_nothing_to_be_found_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no raster"):
        find_scenes(str(tmp_path))
    with pytest.raises(DataError, match="no file fits"):
        find_scenes(str(tmp_path / "*.tif"))


def test_two_scenes_of_one_name_are_refused(scene, tmp_path):
    scene("x/a.tif")
    scene("y/a.tif")
    with pytest.raises(DataError, match="same name"):
        find_scenes(str(tmp_path / "*" / "*.tif"))


@pytest.mark.parametrize(
    "side",
    ["a.tfw", "a.tif.aux.xml", "a.tif.ovr", "a.tif.msk", "a.prj", "a.qml", "a_areas.csv", "._a.tif",
     "readme.txt", "a.unheard_of", "A.TFW"],
)  # fmt: skip
def test_side_files_that_a_glob_finds_are_no_scenes(scene, tmp_path, side):
    paths = [scene("s/a.tif"), scene("s/b.TIF")]
    (tmp_path / "s" / side).write_text("0.5")
    assert find_scenes(str(tmp_path / "s" / "*")) == paths
    assert find_scenes(str(tmp_path / "**" / "*")) == paths


def test_a_glob_of_side_files_alone_finds_nothing(scene, tmp_path):
    scene("s/a.tif")
    (tmp_path / "s/a.tfw").write_text("0.5")
    with pytest.raises(DataError, match="no file fits"):
        find_scenes(str(tmp_path / "s/*.tfw"))


def test_a_raster_of_another_suffix_is_a_scene_where_a_glob_names_it(scene, tmp_path):
    path = scene("s/a.bil")
    assert find_scenes(str(tmp_path / "s/*.bil")) == [path]
    assert find_scenes(str(tmp_path / "s/*")) == [path]


@pytest.mark.parametrize("folder", ["tiles [1]", "what?", "a*b", "[x]/[y]"])
def test_a_folder_whose_name_looks_like_a_pattern_is_itself(scene, tmp_path, folder):
    path = scene(f"{folder}/a.tif")
    assert find_scenes(str(tmp_path / folder / "*.tif")) == [path]
    assert find_scenes(str(tmp_path / "**" / "*.tif")) == [path]


def test_all_scenes_are_looked_at_and_all_problems_are_told(scene, write_raster, tmp_path):
    scene("in/good.tif")
    write_raster("in/four.tif", np.full((4, 9, 9), 77, np.uint8))
    write_raster("in/deep.tif", np.zeros((3, 9, 9), np.uint16))
    with pytest.raises(DataError, match=r"2 of 3 scenes") as error:
        check_scenes(str(tmp_path / "in"))
    assert "four.tif has 4 band(s)" in str(error.value)
    assert "deep.tif has pixels of type uint16" in str(error.value)


def test_a_vrt_of_one_resolution_is_a_scene(scene, tmp_path):
    files = [scene("a.tif"), scene("b.tif")]
    path = write_vrt(tmp_path / "mosaic.vrt", ("a.tif", 40, 40), ("b.tif", 40, 40))
    assert check_vrt(path) == files
    (found,) = check_scenes(str(path))
    assert (found.height, found.width) == (40, 80)


def test_a_vrt_that_changes_its_resolution_is_refused(scene, tmp_path):
    scene("a.tif"), scene("b.tif", side=20)
    path = write_vrt(tmp_path / "mosaic.vrt", ("a.tif", 40, 40), ("b.tif", 20, 40))
    with pytest.raises(DataError, match=r"changes its resolution.*b\.tif at 2 x 2"):
        check_scenes(str(path))


def test_a_vrt_with_a_missing_source_is_refused(scene, tmp_path):
    scene("a.tif")
    path = write_vrt(tmp_path / "mosaic.vrt", ("a.tif", 40, 40), ("gone.tif", 40, 40))
    with pytest.raises(DataError, match=r"gone\.tif, which does not exist"):
        check_scenes(str(path))
    path.write_text("<VRTDataset")
    with pytest.raises(DataError, match="cannot be read as a VRT"):
        check_scenes(str(path))


def test_sources_inside_a_vrt_of_vrts_are_looked_at(scene, tmp_path):
    scene("a.tif"), scene("b.tif", side=20)
    write_vrt(tmp_path / "inner.vrt", ("a.tif", 40, 40), ("b.tif", 20, 40))
    path = write_vrt(tmp_path / "outer.vrt", ("inner.vrt", 40, 40))
    with pytest.raises(DataError, match=r"inner\.vrt changes its resolution"):
        check_vrt(path)


def test_an_output_folder_without_space_is_refused_before_anything_is_made(
    scene, tmp_path, monkeypatch
):
    scenes = check_scenes(str(scene(side=2000)))
    usage = SimpleNamespace(free=1_500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"need up to 3 MB.*only 2 MB are free"):
        check_output(tmp_path / "maps" / "here", scenes, Layers())
    assert not (tmp_path / "maps").exists()
    usage.free = 8_000_000
    check_output(tmp_path / "maps" / "here", scenes, Layers())
    with pytest.raises(DataError, match="free"):
        check_output(tmp_path / "maps" / "here", scenes, Layers(confidence=True))


def test_a_file_is_no_output_folder(scene, tmp_path):
    scenes = check_scenes(str(scene()))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        check_output(tmp_path / "file", scenes, Layers())


def test_looking_at_the_output_folder_leaves_it_as_it_was(scene, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/.writable").write_text("mine")
    check_output(tmp_path / "maps", check_scenes(str(scene())), Layers())
    assert [p.name for p in (tmp_path / "maps").iterdir()] == [".writable"]
    assert (tmp_path / "maps/.writable").read_text() == "mine"


def test_classes_are_named_and_unknown_ones_refused(color_model):
    assert class_ids(["pool", "tree", "pool"], color_model.taxonomy) == (3, 1)
    with pytest.raises(ConfigError, match=r"'lake'.*background, tree, road, pool"):
        class_ids(["lake"], color_model.taxonomy)
