import numpy as np
import pytest
import torch
from tests.fixtures.maps import read

from terrashot.errors import ConfigError
from terrashot.mapping import engine, request
from terrashot.mapping.engine import resolve_engine, scene_engine
from terrashot.mapping.plan import WindowPlan
from terrashot.model import export


def test_torch_computes_anywhere():
    assert resolve_engine("torch", "bf16-mixed", "cuda") == "torch"


@pytest.mark.parametrize(
    ("precision", "accelerator", "remedy"),
    [
        ("32-true", "cuda", r"trainer\.accelerator=cpu"),
        ("bf16-mixed", "cpu", r"trainer\.precision=32-true"),
    ],
)
def test_onnx_runtime_computes_in_full_on_the_processor(precision, accelerator, remedy):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    assert resolve_engine("auto", precision, accelerator) == "torch"
    with pytest.raises(ConfigError, match=rf"{remedy}, or mapping\.engine=torch"):
        resolve_engine("onnxruntime", precision, accelerator)


def test_auto_is_torch_where_the_packages_are_missing(monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _name: None)
    assert resolve_engine("auto", "32-true", "cpu") == "torch"


@pytest.mark.parametrize(
    ("side", "views", "expected"),
    [
        (1000, "dihedral", "torch"),  # 8 windows in all
        (3000, "plain", "torch"),  # 16
        (3000, "flips", "onnxruntime"),  # 64
        (5000, "plain", "onnxruntime"),  # 49
    ],
)
def test_auto_hangs_on_what_a_scene_takes(side, views, expected):
    plan = WindowPlan.of(side, side, 1024, 256)
    assert scene_engine("auto", plan, views) == expected
    assert scene_engine("torch", plan, views) == "torch"


class Captured:
    """In place of ``OnnxModel``: the same model, and it counts."""

    seen = 0

    def __init__(self, model):
        self.model = model

    def capture(self, shape):
        pass

    def __call__(self, image):
        Captured.seen += len(image)
        return self.model(image)


def test_large_scenes_of_a_run_have_an_engine_of_their_own(
    map_scenes, paint, write_raster, color_model, monkeypatch, capsys
):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    for name, height in {"small": 64, "large": 320}.items():
        path = write_raster(f"in/{name}.tif", paint(np.zeros((height, 64), int)))
    monkeypatch.setattr(engine, "_WORTH", 8 * 64 * 64)
    monkeypatch.setattr(request, "OnnxModel", Captured)
    options = ["mapping.window=64", "mapping.overlap=32", "mapping.views=plain"]
    options += ["output.picture=false", "trainer.accelerator=cpu"]
    assert map_scenes(path.parent, *options) == 0
    assert (Captured.seen, color_model.windows) == (9, 10)
    assert "onnxruntime and torch" in " ".join(capsys.readouterr().out.split())
    assert map_scenes(path, *options) == 0  # alone: found again
    assert (Captured.seen, color_model.windows) == (9, 0)
    assert map_scenes(path.parent, "mapping.engine=torch", *options) == 0
    assert (Captured.seen, color_model.windows) == (9, 9)  # the large one alone is made anew


class Branching(torch.nn.Module):
    """What it computes hangs on the values of the image, which no captured program can follow."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.taxonomy, self.spec, self.stride = model.taxonomy, model.spec, model.stride
        self.inference, self.calibration = model.inference, model.calibration

    def forward(self, image):
        return self.model(image) if image.sum() >= 0 else self.model(-image)


@pytest.fixture
def branching(map_scenes, color_model, monkeypatch):
    """``map_scenes`` with a model that ONNX can't capture, for which every scene is large."""
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    monkeypatch.setattr(engine, "_WORTH", 0)
    monkeypatch.setattr("terrashot.model.base_head.load_network", lambda _: Branching(color_model))
    return map_scenes


def test_auto_is_torch_for_a_network_that_onnx_cannot_capture(
    branching, paint, write_raster, ids, capsys
):
    scene = write_raster("in/scene.tif", paint(ids))
    assert branching(scene, "output.picture=false") == 0
    out = capsys.readouterr().out
    assert "cpu, 32-true, torch, views" in " ".join(out.split())
    (notice,) = [line for line in out.splitlines() if "mapping.engine" in line]
    assert notice.startswith("mapping.engine=auto: PyTorch, since ONNX can't capture this network")
    assert "data-dependent" in notice
    assert (read(branching.maps / "scene.tif")[0] == ids).all()
    made = (branching.maps / "scene.tif").stat().st_mtime_ns
    assert branching(scene, "mapping.engine=torch", "output.picture=false") == 0
    assert (branching.maps / "scene.tif").stat().st_mtime_ns == made  # known as what it is


def test_onnx_runtime_that_was_asked_for_is_not_replaced(
    branching, paint, write_raster, ids, capsys
):
    scene = write_raster("in/scene.tif", paint(ids))
    assert branching(scene, "mapping.engine=onnxruntime") == 1
    assert "set mapping.engine=torch" in " ".join(capsys.readouterr().err.split())
    assert not (branching.maps / "scene.tif").exists()
