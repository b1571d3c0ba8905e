import numpy as np
import pytest

from terrashot.errors import ConfigError
from terrashot.mapping.request import WindowOptions, check_engine


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match=r"mapping\.engine is 'tensorflow'; choose torch, onnx"):
        WindowOptions(engine="tensorflow")


def test_torch_computes_anywhere():
    check_engine("torch", "bf16-mixed", "cuda")


@pytest.mark.parametrize(
    ("precision", "accelerator", "remedy"),
    [
        ("32-true", "cuda", r"trainer\.accelerator=cpu"),
        ("bf16-mixed", "cpu", r"trainer\.precision=32-true"),
    ],
)
def test_onnx_runtime_computes_in_full_on_the_processor(precision, accelerator, remedy):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    with pytest.raises(ConfigError, match=rf"{remedy}, or mapping\.engine=torch"):
        check_engine("onnxruntime", precision, accelerator)


def test_a_map_of_another_precision_is_made_anew(map_scenes, paint, write_raster, color_model):
    scene = write_raster("scene.tif", paint(np.zeros((128, 128), int)))
    windows = {}
    for run, precision in enumerate(["auto", "32-true", "bf16-mixed"]):
        options = ["output.picture=false", f"trainer.precision={precision}"]
        assert map_scenes(scene, *options) == 0
        windows[run] = color_model.windows
    assert list(windows.values()) == [1, 0, 1]
