"""Four 16-bit bands from training to map, by command and from Python."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from tests.fixtures.runs import STAGE1

import terrashot
from terrashot.cli.main import main as command

BANDS = ["data.bands=[1,2,3,4]", "data.scale=[0,4000]", "data.mean=null", "data.std=null"]
QUICK = ["logger=csv", "trainer.max_epochs=2", "data.batch_size=8", "callbacks.panels=1"]


@pytest.fixture(scope="module")
def root(tiny_root, once) -> Path:
    """The tiny set with 16-bit pixels and a fourth band, the mean of the colours turned round."""

    def make(folder: Path) -> None:
        for file in sorted(tiny_root.rglob("*")):
            copy = folder / file.relative_to(tiny_root)
            if file.is_dir() or ".terrashot" in file.parts:
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            if file.parent.name != "images":
                copy.write_bytes(file.read_bytes())
                continue
            with rasterio.open(file) as source:
                colors = source.read().astype(np.uint16) * 15
            more = 4000 - colors.mean(axis=0, dtype=np.float64).astype(np.uint16)
            write(copy, np.concatenate([colors, more[None]]))

    return once("tiny_bands", make)


def write(path: Path, array: np.ndarray) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", count=len(array), height=array.shape[1], width=array.shape[2],
        dtype=array.dtype, photometric="MINISBLACK",
    ) as file:  # fmt: skip
        file.write(array)


@pytest.fixture(scope="module")
def runs(run_here, root, once) -> Path:
    def train(folder: Path) -> None:
        logs = folder / "logs"
        data = f"data.root={root}"
        assert run_here(logs, *STAGE1, *QUICK, *BANDS, data) == 0
        stage1 = f"checkpoint={logs / 'stage1' / 'latest'}"
        adapt = ["experiment=adapt", stage1, data, "logger=csv", "solver.iterations=5"]
        assert run_here(logs, *adapt, "data.bands=[1,2,3,4]") == 0

    return once("bands", train) / "logs"


def test_the_checkpoint_says_what_its_images_are_and_the_scores_are_there(runs):
    model = terrashot.load(runs / "stage1" / "latest")
    assert model.imagery.bands == (1, 2, 3, 4)
    assert model.imagery.dtype == "uint16"
    assert "images: uint16, bands 1, 2, 3, 4" in repr(model)
    assert all(0 < value < 1 for value in model.imagery.mean)
    results = json.loads((runs / "adapt" / "latest" / "results.json").read_text())
    assert results["metrics"]["test/weighted_miou"] >= 0
    assert list((runs / "adapt" / "latest" / "figures" / "test").glob("*.png"))


def test_a_scene_of_the_same_imagery_is_mapped_and_another_is_refused(
    runs, run_here, root, tmp_path, capsys
):
    tile = next((root / "testset" / "images").glob("query_*.tif"))
    ckpt = f"ckpt={runs / 'adapt' / 'latest'}"
    window = ["mapping.window=64", "mapping.overlap=0", "output.picture=false"]
    predict = ["experiment=predict", ckpt, *window, f"output={tmp_path / 'maps'}"]
    assert run_here(tmp_path / "logs", *predict, f"input={tile}") == 0
    with rasterio.open(tmp_path / "maps" / tile.name) as source:
        ids = source.read(1)
    with rasterio.open(tile) as source:
        array = source.read()
    model = terrashot.load(runs / "adapt" / "latest")
    (map_file,) = terrashot.map_scene(
        model, tile, tmp_path / "python", window=64, overlap=0, picture=False
    )
    with rasterio.open(map_file) as source:
        assert np.array_equal(source.read(1), ids)
    write(tmp_path / "rgb.tif", array[:3])
    capsys.readouterr()
    assert run_here(tmp_path / "logs", *predict, f"input={tmp_path / 'rgb.tif'}") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "rgb.tif has 3 band(s), but input.bands is [1, 2, 3, 4]" in said
    write(tmp_path / "bytes.tif", (array // 16).astype(np.uint8))
    assert run_here(tmp_path / "logs", *predict, f"input={tmp_path / 'bytes.tif'}") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "uint8, but the network was trained on uint16 ones, scaled from 0 to 4000" in said


def test_a_model_adapted_in_python_takes_the_same_arrays(runs, root):
    tile = next((root / "testset" / "images").glob("support_8_*.tif"))
    with rasterio.open(tile) as source:
        image = source.read().transpose(1, 2, 0)
    with rasterio.open(root / "testset" / "labels" / tile.name) as source:
        mask = source.read(1) == 8
    base = terrashot.load(runs / "stage1" / "latest")
    model = base.adapt({"eighth": [(image, mask)]}, settings={"solver.iterations": 5})
    assert model.predict(image).shape == mask.shape
    with pytest.raises(terrashot.errors.DataError, match=r"\[H, W, 4\]"):
        model.predict(image[..., :3])
    with pytest.raises(terrashot.errors.DataError, match=r"uint16.*black at 0 and white at 4000"):
        model.predict(image.astype(np.uint8))


@pytest.mark.slow
def test_the_exported_program_takes_the_values_of_the_files(runs, root, tmp_path, capsys):
    tile = next((root / "testset" / "images").glob("query_*.tif"))
    options = ["--format", "torch", "--size", "64", "--output", str(tmp_path)]
    code = command(["export", str(runs / "adapt" / "latest"), *options, "--image", str(tile)])
    assert code == 0, capsys.readouterr()


def test_a_base_network_of_other_bands_is_refused(runs, run_here, tmp_path, capsys):
    stage1 = f"checkpoint={runs / 'stage1' / 'latest'}"
    code = run_here(tmp_path / "logs", "experiment=stage2", stage1, "data.bands=[1,2,3]")
    assert code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "data.bands is [1, 2, 3], but the network takes 4 channel(s)" in said


def test_the_published_sg_one_is_refused_before_a_run_begins(
    runs, run_here, root, tmp_path, capsys
):
    stage1 = f"checkpoint={runs / 'stage1' / 'latest'}"
    vgg = ["backbone=sg_one_vgg16", "backbone.weights=null", f"data.root={root}"]
    assert run_here(tmp_path / "logs", "experiment=sg_one", stage1, *BANDS, *vgg) == 1
    assert "the images have 4 channel(s)" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "logs" / "sg_one").exists()


def test_false_refuses_to_change_the_colours_of_other_bands(run_here, root, tmp_path, capsys):
    code = run_here(tmp_path / "logs", "experiment=pretrain_false", *BANDS, f"data.root={root}")
    assert code == 1
    assert "augmentation.color_p=0 augmentation.grey_p=0" in capsys.readouterr().err
