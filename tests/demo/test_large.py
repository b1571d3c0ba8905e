import numpy as np
import rasterio

from terrashot.demo import large


def test_a_large_scene_has_its_labels_and_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "_FRAME", 96)
    path = tmp_path / "scene.tif"
    labels = large.make_large_scene(path, 150, 250, seed=3, variety=1)
    with rasterio.open(path) as image, rasterio.open(labels) as classes:
        assert image.shape == classes.shape == (150, 250)
        assert image.profile["tiled"]
        assert image.crs.is_projected
        assert image.transform == classes.transform
        pixels, ids = image.read(), classes.read(1)
    assert set(np.unique(ids)) <= set(range(12))
    assert (pixels != 0).any(axis=0).all()  # every part is painted
    assert len(np.unique(ids)) > 3
    repeated = [np.array_equal(ids[:54, i : i + 58], ids[96:, i : i + 58]) for i in (0, 96, 192)]
    assert not all(repeated)
    again = large.make_large_scene(tmp_path / "again.tif", 150, 250, seed=3, variety=1)
    assert again.read_bytes() == labels.read_bytes()
    other = large.make_large_scene(tmp_path / "other.tif", 150, 250, seed=4, variety=1)
    assert other.read_bytes() != labels.read_bytes()
