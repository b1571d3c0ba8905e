"""The published system from its commands to their ends, on tiles in the layout of OpenEarthMap."""

import json
import shutil

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrashot.app.config.compose import compose_settings
from terrashot.app.main import main
from terrashot.app.run.bench import SettingsBench
from terrashot.model.stage1_file import load_base_model

SIDE = 1024  # of masks and padded tiles, as published
ODD = (406, 439)  # height and width of the published tile rio_61
FIXED = ["trainer.accelerator=cpu", "logger=csv"]
QUERIES = ["query_0.tif", "query_1.tif"]
NETWORK = ["backbone=timm", "backbone.name=mobilenetv2_050", "decoder.channels=8"]


def test_stage_1_as_published_is_what_the_preset_says(repository):
    settings = compose_settings(repository / "configs", ["experiment=stage1_paper"])
    assert settings.decoder["name"] == "upernet_classtrans"
    assert settings.decoder["align_corners"] is True
    assert settings.optimizer.decay_all
    assert settings.optimizer.weight_decay == 1e-2
    assert settings.trainer.precision == "32-true"
    assert not settings.data.stage1_val_in_training
    assert len(set(settings.data.stage1_val)) == 29


def test_the_held_out_tiles_are_the_published_ones(repository, shared):
    settings = compose_settings(repository / "configs", ["experiment=stage1_paper"])
    lists = shared / "data/openearthmap_lists"
    assert settings.data.stage1_val == (lists / "stage1_val.txt").read_text().split()
    assert set(settings.data.stage1_val) <= set((lists / "train.txt").read_text().split())


@pytest.fixture
def root(tiny_root, tmp_path):
    """The tiny set without stage1_val.txt, and with two query tiles, one as large as ``ODD``."""
    root = tmp_path / "oem"
    shutil.copytree(tiny_root, root)
    (root / "stage1_val.txt").unlink()
    names = [f"train_{i}.tif" for i in range(8)]
    (root / "train.txt").write_text("\n".join(names) + "\n")
    split = json.loads((root / "test.json").read_text())
    (root / "test.json").write_text(json.dumps({**split, "query_set": QUERIES}))
    rows, columns = (np.arange(side) * 64 // side for side in ODD)
    for kind in ("images", "labels"):
        path = root / "testset" / kind / "query_0.tif"
        with rasterio.open(path) as source:
            pixels = source.read()[:, rows][:, :, columns]
        path.unlink()
        shape = {"count": len(pixels), "height": ODD[0], "width": ODD[1], "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", **shape) as target:
            target.write(pixels)
    return root


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_stage_1_and_2_as_published_with_masks_of_padded_tiles(repository, root, tmp_path, capsys):
    logs = tmp_path / "logs"
    fixed = [*FIXED, f"data.root={root}", f"paths.logs={logs}"]
    held_out = ["train_0.tif", "train_1.tif"]
    stage1 = [
        *["experiment=stage1_paper", *fixed, *NETWORK, "decoder.pooling_channels=8"],
        *["data.crop=64", "data.batch_size=4", "trainer.max_epochs=1"],
        *[f"data.stage1_val=[{','.join(held_out)}]", "data.stage1_val_in_training=true"],
    ]
    assert main(repository / "configs", stage1) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (root / "stage1_val.txt").read_text().split() == held_out
    assert "stage1_val.txt: the 2 validation tiles of data.stage1_val" in said
    assert "leak: 2 of the 2 validation tiles are trained on" in said
    assert "2 tiles of it seen in training" in said
    run = (logs / "stage1_paper/latest").resolve()
    results = json.loads((run / "results.json").read_text())
    assert results["val_in_training"] == ["train_0", "train_1"]
    base = load_base_model(run / "checkpoints/best.ckpt")
    assert base.calibration.how == "its validation tiles were trained on"
    assert base.calibration.temperature is None
    assert base.segmenter.align_corners
    assert base.segmenter.description["decoder"]["name"] == "upernet_classtrans"

    stage2 = [
        *["experiment=stage2_paper", *fixed, f"checkpoint={run}", "postprocess=openearthmap"],
        *[f"paths.masks={tmp_path / 'masks'}", "adaptation.save_maps=true"],
    ]
    settings = compose_settings(repository / "configs", stage2)
    for rule in SettingsBench(settings).build("postprocess").rules.values():
        folder = getattr(rule, "folder", None)
        if folder is None:
            continue
        folder.mkdir(parents=True)
        for name in QUERIES:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[640:, 640:] = name == "query_0.tif" and rule.class_name == "building type 1"
            Image.fromarray(mask).save(folder / name.replace(".tif", ".png"))
    assert main(repository / "configs", stage2) == 0
    run = (logs / "stage2_paper/latest").resolve()
    results = json.loads((run / "results.json").read_text())
    assert results["external_masks"] is True
    assert [row["rule"] for row in results["postprocess"]][-1] == "+ parking"
    # Rows from 640 on of 947: from ceil(640 * 406 / 947) = 275 on of 406; columns from 275 of 439.
    with rasterio.open(run / "maps" / "query_0.tif") as source:
        found = source.read(1)
    assert found.shape == ODD
    pasted = found == 7
    assert pasted[275:, 275:].all()
    assert pasted.sum() == 131 * 164
    # A mask of another size is found before the run.
    wrong = tmp_path / "masks/cascadepsp/building_type_1/query_1.png"
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(wrong)
    capsys.readouterr()
    assert main(repository / "configs", stage2) == 1
    assert "query_1.png is 30 x 30 pixels" in " ".join(capsys.readouterr().err.split())
    assert len(list((logs / "stage2_paper").glob("*_*"))) == 1
