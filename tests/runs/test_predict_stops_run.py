"""What a mapping run leaves behind when it stops, and how the next one goes on."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from tests.fixtures.maps import TILED, read, visible


def test_finished_scenes_are_skipped_and_other_settings_map_again(
    map_scenes, write_raster, paint, ids, color_model, capsys
):
    for name in ("a", "b"):
        write_raster(f"in/{name}.tif", paint(ids))
    folder = map_scenes.maps.parent / "in"
    assert map_scenes(folder / "a.tif", "output.confidence=true") == 0
    assert map_scenes(folder, "output.confidence=true") == 0
    assert color_model.windows == 3 * 5  # of b alone
    assert "1 of them finished already" in capsys.readouterr().out
    assert [s["skipped"] for s in map_scenes.results()["scenes"]] == [True, False]
    assert map_scenes(folder, "output.confidence=true") == 0
    assert color_model.windows == 0
    assert map_scenes(folder) == 0
    assert color_model.windows == 2 * 3 * 5
    assert not list(map_scenes.maps.glob("*_confidence.tif"))  # those were of the other settings
    (map_scenes.maps / "a.tif").unlink()
    assert map_scenes(folder) == 0
    assert color_model.windows == 3 * 5


def test_a_stopped_run_goes_on_where_it_was_with_the_very_same_map(
    map_scenes, write_raster, color_model, capsys, monkeypatch
):
    # Colours between those of two classes: what a window adds decides many pixels.
    noise = np.random.default_rng(0).integers(0, 255, (3, 500, 420)).astype(np.uint8)
    scene = write_raster("in/scene.tif", noise)
    options = ["output.confidence=true", "mapping.overlap=64", "mapping.batch_size=2"]
    assert map_scenes(scene, *options) == 0
    whole = [read(map_scenes.maps / n) for n in ("scene.tif", "scene_confidence.tif")]
    total = color_model.windows
    shutil.rmtree(map_scenes.maps)

    original = type(color_model).forward

    def fail(self, image):
        if self.windows >= total * 0.6:
            raise RuntimeError("the power went out")
        return original(self, image)

    with monkeypatch.context() as patch:
        patch.setattr(type(color_model), "forward", fail)
        with pytest.raises(RuntimeError, match="power"):
            map_scenes(scene, *options)
    assert visible(map_scenes.maps) == set()
    assert map_scenes(scene, *options) == 0
    assert color_model.windows < total * 0.7
    assert "rows of windows are done" in capsys.readouterr().out
    again = [read(map_scenes.maps / n) for n in ("scene.tif", "scene_confidence.tif")]
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_broken_tile_stops_its_scene_alone(map_scenes, write_raster, paint, ids, capsys):
    path = write_raster("in/b.tif", paint(np.tile(ids, (2, 2))), **TILED)
    content = bytearray(path.read_bytes())
    with rasterio.open(path) as source:
        assert source.tags(1, ns="TIFF") is not None
        offset = int(source.get_tag_item("BLOCK_OFFSET_4_5", "TIFF", bidx=1))
    content[offset : offset + 20] = b"\0" * 20
    path.write_bytes(content)
    write_raster("in/a.tif", paint(ids))
    write_raster("in/c.tif", paint(ids))
    assert map_scenes(path.parent) == 1
    text = " ".join(capsys.readouterr().err.split())
    assert "b.tif is damaged: rows" in text
    names = visible(map_scenes.maps)
    assert {"a.tif", "c.tif"} <= names
    assert not any(name.startswith("b") for name in names)
    np.testing.assert_array_equal(read(map_scenes.maps / "c.tif")[0], ids)


def test_a_disk_that_fills_up_leaves_no_half_map_and_the_run_goes_on_later(
    map_scenes, write_raster, paint, ids, capsys, monkeypatch
):
    from terrashot.mapping import rows

    scene = write_raster("in/scene.tif", paint(ids))

    def full(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "atomic_write", full)
        assert map_scenes(scene) == 1
    assert "the disk is full" in " ".join(capsys.readouterr().err.split())
    assert visible(map_scenes.maps) == set()
    assert map_scenes(scene) == 0


def test_an_output_folder_without_space_is_refused(
    map_scenes, write_raster, paint, ids, capsys, monkeypatch
):
    scene = write_raster("in/scene.tif", paint(ids))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert map_scenes(scene) == 1
    assert "free" in capsys.readouterr().err
    assert not map_scenes.maps.exists()
