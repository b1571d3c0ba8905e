import csv
import json

import pytest
import torch
import yaml

from terrashot.model.stage1_file import load_base_model


def run_of(logs):
    return (logs / "stage1" / "latest").resolve()


def test_a_run_leaves_everything_that_the_readme_names(trained):
    run = run_of(trained)
    for name in ["config.yaml", "run.json", "results.json", "metrics.csv"]:
        assert (run / name).stat().st_size > 0, name
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    figures = {p.relative_to(run / "figures").as_posix() for p in (run / "figures").rglob("*.png")}
    assert {"val_confusion.png", "val_iou.png", "curves.png"} <= figures
    assert sum(name.startswith("val/") for name in figures) == 4
    info = json.loads((run / "run.json").read_text())
    assert info["status"] == "finished"
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_epochs"] == 15


def test_it_learns_and_its_numbers_agree_with_each_other(trained):
    run = run_of(trained)
    results = json.loads((run / "results.json").read_text())
    with (run / "metrics.csv").open() as file:
        history = [float(r["val/base_miou"]) for r in csv.DictReader(file) if r["val/base_miou"]]
    assert len(history) == 15
    assert results["best"]["val/base_miou"] == pytest.approx(max(history))
    assert results["metrics"]["val/base_miou"] == pytest.approx(history[-1], abs=1e-6)
    assert max(history) > history[0]
    confusion = torch.tensor(results["confusion"])
    assert confusion.sum() == 4 * 64 * 64


def test_the_checkpoint_alone_rebuilds_the_network_without_running_code(trained):
    best = run_of(trained) / "checkpoints" / "best.ckpt"
    model = load_base_model(best)
    assert model.taxonomy.num_classes == 8
    assert model.segmenter(torch.rand(1, 3, 50, 70)).shape == (1, 8, 50, 70)
    content = torch.load(best, weights_only=True)
    assert "optimizer_states" not in content
    weight = content["state_dict"]["segmenter.head.weight"]
    assert torch.equal(model.segmenter.head.weight, weight)


def test_the_checkpoint_is_calibrated_by_the_validation_tiles(trained):
    base = load_base_model(trained / "stage1" / "latest" / "checkpoints" / "best.ckpt")
    assert base.calibration.how == "the validation tiles of stage 1"
    assert 0.125 <= base.calibration.temperature <= 8
