"""The Python interface gives what the command line gives, to the digit and to the byte."""

import json

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin

import terrashot
from terrashot.model.adapted_file import load_adapted_model

PLACE = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 0.5, 0.5)}


def read(path):
    with rasterio.open(path) as source:
        return source.read()


@pytest.fixture(scope="module")
def support(tiny_root):
    """The support of the tiny set as arrays, by the class names of its configuration."""
    tiles = json.loads((tiny_root / "test.json").read_text())["support_set"]

    def pair(name, class_id):
        folder = tiny_root / "testset"
        image = read(folder / "images" / name).transpose(1, 2, 0)
        return image, read(folder / "labels" / name)[0] == class_id

    return {int(key): [pair(name, int(key)) for name in names] for key, names in tiles.items()}


@pytest.fixture(scope="module")
def base_counts(tiny_root):
    """Pixels of each base class in the training labels, the background first."""
    names = (tiny_root / "train.txt").read_text().split()
    labels = np.stack([read(tiny_root / "trainset" / "labels" / name) for name in names])
    return np.bincount(labels.ravel(), minlength=8).tolist()


@pytest.fixture(scope="module")
def adapted(run_here, trained, tmp_path_factory):
    """Runs ``experiment=adapt`` once a method; returns its folder."""
    logs = tmp_path_factory.mktemp("adapted") / "logs"

    def run(*overrides):
        stage1 = f"checkpoint={trained / 'stage1' / 'latest'}"
        given = [stage1, "logger=csv", "adaptation.panels=0", *overrides]
        assert run_here(logs, "experiment=adapt", *given) == 0
        return (logs / "adapt" / "latest").resolve()

    return run


def named(support, reference):
    return {c.name: support[c.index] for c in reference.taxonomy.novel}


@pytest.mark.parametrize(
    ("method", "stride", "overrides", "settings"),
    [
        ("terrashot", 8, [], {}),  # that of data=demo
        ("classtrans", 8, ["solver.iterations=20"], {"solver.iterations": 20}),
        ("ridge", None, ["adaptation.feature_stride=null"], {}),
    ],
)
def test_arrays_give_the_head_that_experiment_adapt_gives(
    adapted, trained, support, base_counts, tmp_path, method, stride, overrides, settings
):
    run = adapted(f"method={method}", "adapt.evaluate=false", *overrides)
    reference = load_adapted_model(run)
    base = terrashot.load(trained / "stage1" / "latest")
    colors = {c.name: c.color for c in reference.taxonomy.novel}
    given = named(support, reference)
    model = base.adapt(
        given,
        method,
        colors=colors,
        feature_stride=stride,
        settings=settings,
        base_counts=base_counts,
    )
    model.save(tmp_path / "adapted.ckpt")
    again = load_adapted_model(tmp_path / "adapted.ckpt")
    for name, tensor in reference.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    same = ("network", "taxonomy", "transition", "inference", "align_corners", "stride")
    assert {k: again.description[k] for k in same} == {k: reference.description[k] for k in same}


def test_predict_gives_the_maps_that_were_scored(adapted, tiny_root):
    run = adapted("adaptation.save_maps=true")
    model = terrashot.load(run)
    queries = json.loads((tiny_root / "test.json").read_text())["query_set"]
    for name in queries:
        image = read(tiny_root / "testset" / "images" / name).transpose(1, 2, 0)
        np.testing.assert_array_equal(model.predict(image), read(run / "maps" / name)[0])


@pytest.fixture
def scene(write_raster):
    rng = np.random.default_rng(0)
    blocks = rng.integers(40, 215, (3, 12, 17)).repeat(16, 1).repeat(16, 2)
    noisy = (blocks + rng.normal(0, 12, blocks.shape)).clip(0, 255).astype(np.uint8)
    return write_raster("in/scene.tif", noisy, **PLACE)


def test_map_scene_writes_the_bytes_of_experiment_predict(adapted, run_here, scene, tmp_path):
    run = adapted("adapt.evaluate=false")
    # The project is of all maps of a folder, and a call makes one map.
    fixed = ["mapping.window=128", "mapping.overlap=32", "output.confidence=true"]
    given = [f"ckpt={run}", f"input={scene}", f"output={tmp_path / 'a'}", *fixed]
    given += ["output.project=false"]
    assert run_here(tmp_path / "logs", "experiment=predict", *given) == 0
    model = terrashot.load(run)
    before = model.predict(np.zeros((64, 64, 3), np.uint8))
    steps = []
    maps = terrashot.map_scene(
        model,
        scene,
        tmp_path / "b",
        window=128,
        overlap=32,
        confidence=True,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert maps == [tmp_path / "b" / "scene.tif"]
    files = sorted(p.name for p in (tmp_path / "a").iterdir() if not p.name.startswith("."))
    assert len(files) == 6
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert steps[-1][0] == steps[-1][1] == len(steps)
    # The model is as it was: windows are prepared in a copy.
    np.testing.assert_array_equal(model.predict(np.zeros((64, 64, 3), np.uint8)), before)
    # A finished map is left alone, whoever made it.
    stamp = (tmp_path / "a" / "scene.tif").stat().st_mtime_ns
    terrashot.map_scene(model, scene, tmp_path / "a", window=128, overlap=32, confidence=True)
    assert (tmp_path / "a" / "scene.tif").stat().st_mtime_ns == stamp


def test_g3_maps_are_made_with_the_views_they_were_scored_with(
    adapted, run_here, scene, tmp_path, capsys
):
    found = {}
    for flips, views in [("hv", "flips"), ("h", "mirror"), ("none", "plain")]:
        run = adapted("adapt.evaluate=false", f"inference.flips={flips}", "inference=flips")
        said = capsys.readouterr().out
        assert "experiment=predict" in said
        assert "mapping.views" not in said  # the file says it
        for name, asked in [("own", []), ("asked", [f"mapping.views={views}"])]:
            output = tmp_path / flips / name
            given = [f"ckpt={run}", f"input={scene}", f"output={output}", "mapping.window=128"]
            quick = ["mapping.overlap=32", "output.confidence=true", "output.picture=false"]
            assert run_here(tmp_path / "logs", "experiment=predict", *given, *quick, *asked) == 0
            assert f"views: {views}" in " ".join(capsys.readouterr().out.split())
        for file in ("scene.tif", "scene_confidence.tif"):
            own, asked = (tmp_path / flips / name / file for name in ("own", "asked"))
            np.testing.assert_array_equal(read(own), read(asked))
        found[flips] = read(tmp_path / flips / "own" / "scene_confidence.tif")
    assert not np.array_equal(found["hv"], found["none"])  # each has an effect
    assert not np.array_equal(found["h"], found["none"])


def test_failing_scenes_are_named_and_the_others_mapped(adapted, scene, tmp_path):
    from terrashot.errors import ConfigError, DataError

    model = terrashot.load(adapted("adapt.evaluate=false"))
    with pytest.raises(DataError, match="no such file or folder"):
        terrashot.map_scene(model, tmp_path / "none.tif", tmp_path / "maps")
    with pytest.raises(ConfigError, match="replace what it is made of"):
        terrashot.map_scene(model, scene, scene.parent)
    with pytest.raises(ConfigError, match="multiple of 32"):
        terrashot.map_scene(model, scene, tmp_path / "maps", window=100)
    with pytest.raises(ConfigError, match="plain, flips, dihedral"):
        terrashot.map_scene(model, scene, tmp_path / "maps", views="all")
