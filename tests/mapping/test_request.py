import numpy as np
import pytest

from terrashot.errors import ConfigError
from terrashot.mapping.request import WindowOptions


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match=r"mapping\.engine is 'tensorflow'; choose auto, torch"):
        WindowOptions(engine="tensorflow")


def test_a_map_of_another_precision_is_made_anew(map_scenes, paint, write_raster, color_model):
    scene = write_raster("scene.tif", paint(np.zeros((128, 128), int)))
    windows = {}
    for run, precision in enumerate(["auto", "32-true", "bf16-mixed"]):
        options = ["output.picture=false", f"trainer.precision={precision}"]
        assert map_scenes(scene, *options) == 0
        windows[run] = color_model.windows
    assert list(windows.values()) == [1, 0, 1]
