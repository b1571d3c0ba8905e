import pytest

from terrashot.data.feature_cache import FeatureCache


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "tile.tif"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache", 1e6, {"checkpoint": "a", "eval_size": None})
