import dataclasses
import json

import numpy as np
import pytest
import torch

from terrashot.adaptation.inference import Inference
from terrashot.errors import ConfigError
from terrashot.model.agreement import TIE, compare, onnx_runner, torch_runner
from terrashot.model.export import (
    METADATA_FILE,
    MapProgram,
    describe_export,
    export_program,
    save_onnx,
    save_torch,
)
from terrashot.model.model import Model
from terrashot.networks.build import build_segmenter


@pytest.fixture(scope="module")
def program(make_adapted):
    """A transition and a feature scale: everything that a graph could lose."""
    return MapProgram(make_adapted("rank_one"))


@pytest.fixture(scope="module")
def exported(program):
    return export_program(program, 64)


@pytest.fixture
def tile():
    return np.random.default_rng(1).integers(0, 256, (3, 90, 130)).astype(np.uint8)


def test_the_torch_program_maps_tiles_of_any_size_as_the_model_does(
    program, exported, tile, tmp_path
):
    path = tmp_path / "adapted.pt2"
    save_torch(exported, path, describe_export(program.model, "plain"))
    found = compare(program, torch_runner(path), tile)
    assert found.passed
    assert (found.pixels, found.other) == (90 * 130, 0)
    extra = {METADATA_FILE: ""}
    torch.export.load(path, extra_files=extra)
    metadata = json.loads(extra[METADATA_FILE])
    assert json.loads(metadata["class_names"]) == ["background", "tree", "road", "car", "pool"]
    batch = torch.from_numpy(tile[None, :, :64, :96]).repeat(3, 1, 1, 1)
    classes, probabilities = torch.export.load(path).module()(batch)
    assert (classes.shape, classes.dtype) == ((3, 64, 96), torch.uint8)
    assert probabilities.shape == (3, 5, 64, 96)


def test_numbers_that_are_not_finite_are_no_class_as_in_the_model(make_adapted):
    plain = make_adapted().segmenter.description
    imagery = {"bands": [1, 2, 3], "dtype": "float32", "scale": [[0, 2]] * 3, "rgb": [0, 1, 2]}
    torch.manual_seed(0)
    other = build_segmenter({**plain, "imagery": imagery}).eval()
    model = make_adapted(inference=Inference())
    model.segmenter = other
    image = np.random.default_rng(2).random((64, 96, 3), dtype=np.float32) * 2
    image[:9, :, 1], image[40:, 90:, 0] = np.nan, np.inf
    batch = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    classes, probabilities = MapProgram(model)(batch)
    whole = Model(model)
    np.testing.assert_array_equal(classes[0].numpy(), whole.predict(image))
    expected = whole.probabilities(image)
    np.testing.assert_allclose(probabilities[0].numpy(), expected, atol=1e-5)
    assert (classes[0, :9] == 255).all()


@pytest.mark.slow
def test_onnx_runtime_maps_as_the_model_does(program, exported, tile, tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    path = tmp_path / "adapted.onnx"
    save_onnx(exported, path, describe_export(program.model, "plain"))
    found = compare(program, onnx_runner(path), tile)
    assert found.passed
    assert found.share > 0.999
    assert found.largest < 1e-3
    metadata = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(metadata["class_colors"]) == ["#12ab56"] * 5
    assert json.loads(metadata["novel_classes"]) == ["car", "pool"]
    classes, _ = onnx_runner(path)(np.stack([tile[:, :64, :64]] * 2))
    assert classes.shape == (2, 64, 64)  # the batch is free too
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapted.onnx"]


@pytest.mark.slow
def test_a_vision_transformer_maps_the_same_outside(make_adapted, tile, tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    program = MapProgram(make_adapted(backbone="test_vit", features="stages"))
    exported = export_program(program, 64)
    save_torch(exported, tmp_path / "vit.pt2", {})
    save_onnx(exported, tmp_path / "vit.onnx", {})
    for runner in (torch_runner(tmp_path / "vit.pt2"), onnx_runner(tmp_path / "vit.onnx")):
        assert compare(program, runner, tile).passed


def test_another_map_is_told_from_a_tie(program, tile):
    def runner(image):
        classes, probabilities = program(torch.from_numpy(image))
        return classes.numpy(), probabilities.numpy()

    assert compare(program, runner, tile).share == 1.0

    def wrong(image):
        classes, probabilities = runner(image)
        classes[0, :3, :4] = (classes[0, :3, :4] + 1) % 5
        return classes, probabilities

    found = compare(program, wrong, tile)
    assert (found.other, found.passed) == (12, found.ties == 12)
    assert found.ties < 12
    tied = dataclasses.replace(found, ties=12)
    assert tied.passed
    assert TIE < 1e-3


def test_sizes_that_do_not_fit_are_refused(program):
    for size in (100, 32, 9000):
        with pytest.raises(ConfigError, match="multiple of 32 from 64"):
            export_program(program, size)


def test_without_the_packages_it_says_what_to_install(monkeypatch, exported, tmp_path):
    from terrashot.model import export

    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"terrashot\[export\]"):
        save_onnx(exported, tmp_path / "adapted.onnx", {})
    assert not list(tmp_path.iterdir())
