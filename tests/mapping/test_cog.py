import errno

import numpy as np

from terrashot.mapping import cog


def test_a_disk_that_fills_up_leaves_no_part_of_a_map_and_the_run_goes_on(
    map_scenes, paint, write_raster, monkeypatch, capsys, color_model
):
    scene = write_raster("scene.tif", paint(np.ones((100, 100), int)))
    options = ["output.picture=false", "output.project=false"]
    copy = cog.rasterio.shutil.copy

    def full(source, target, **settings):
        copy(source, target, **settings)
        assert target.with_name(target.name + ".aux.xml").is_file()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cog.rasterio.shutil, "copy", full)
        assert map_scenes(scene, *options) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "scene.tif could not be written: there is no space left (" in said
    assert "MB are free). The finished rows are kept in" in said
    left = {path.name for path in map_scenes.maps.iterdir()}
    assert left == {".mapping", ".mapping.json", ".mapping.lock"}
    assert map_scenes(scene, *options) == 0
    assert color_model.windows == 0  # the rows were there
