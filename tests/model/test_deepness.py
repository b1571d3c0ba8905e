"""The file for the plug-in Deepness, read as the plug-in reads it."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from terrashot.adaptation.temperature import Calibration
from terrashot.errors import ConfigError
from terrashot.model.agreement import compare, deepness_runner
from terrashot.model.deepness import DeepnessProgram, describe_for_deepness, save_deepness
from terrashot.model.export import MapProgram


def test_the_metadata_is_what_the_plug_in_reads(make_adapted):
    found = describe_for_deepness(make_adapted(), 256, 30.0)
    words = ("input", "output")  # for people
    read = {key: json.loads(value) for key, value in found.items() if key not in words}
    assert read["model_type"].capitalize() == "Segmentor"
    names = sorted(read["class_names"].items(), key=lambda item: int(item[0]))
    assert [int(key) for key, _ in names] == list(range(5))  # the plug-in refuses gaps
    assert [name for _, name in names] == ["background", "tree", "road", "car", "pool"]
    assert (read["tile_size"], read["tiles_size"], read["tiles_overlap"]) == (256, 256, 25)
    assert float(read["resolution"]) == 30
    assert (read["standardization_mean"], read["standardization_std"]) == ([0.0] * 3, [1.0] * 3)
    assert read["seg_thresh"] == 0
    assert "resolution" not in describe_for_deepness(make_adapted(), 256)


def test_the_program_takes_bytes_over_255_and_gives_the_models_probabilities(make_adapted):
    model = make_adapted("rank_one", calibration=Calibration(2.0, "3 tiles"))
    program = MapProgram(model)
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    classes, probabilities = program(pixels)
    found = DeepnessProgram(program)(pixels.float() / 255)
    torch.testing.assert_close(found, probabilities)
    assert torch.equal(found.argmax(dim=1).to(torch.uint8), classes)
    plain = model(pixels.float() / 255).sqrt()  # temperature 2
    torch.testing.assert_close(found, plain / plain.sum(dim=1, keepdim=True))


def test_imagery_that_the_plug_in_can_not_read_is_refused(make_adapted, tmp_path):
    model = make_adapted()
    spec = dataclasses.replace(model.spec, dtype="uint16", scale=((0.0, 3000.0),) * 3)
    model.segmenter.spec = spec
    with pytest.raises(ConfigError, match="gives 8-bit ones"):
        DeepnessProgram(MapProgram(model))
    with pytest.raises(ConfigError, match="--size is 100"):
        save_deepness(MapProgram(make_adapted()), tmp_path / "a.onnx", 100, "plain")


@pytest.mark.slow
def test_the_file_maps_as_the_model_does(make_adapted, tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    program, path = MapProgram(make_adapted("rank_one")), tmp_path / "adapted_deepness.onnx"
    save_deepness(program, path, 64, "plain", resolution=30.0)
    tile = np.random.default_rng(1).integers(0, 256, (3, 50, 64)).astype(np.uint8)
    found = compare(program, deepness_runner(path), tile, 64)
    assert found.passed
    assert found.largest < 1e-3
    graph = onnx.load(path).graph
    shapes = [
        [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    ]
    assert shapes == [[1, 3, 64, 64], [1, 5, 64, 64]]
    metadata = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(metadata["class_names"])["3"] == "car"
    assert json.loads(metadata["resolution"]) == 30.0
