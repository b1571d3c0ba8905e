"""Contrastive pretraining as a user runs it, and its encoder in stage 1."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from terrashot.app.main import main

REPOSITORY = Path(__file__).resolve().parents[3]
PRETRAIN = [
    "experiment=pretrain_false",
    "backbone=timm",
    "backbone.name=mobilenetv2_050",
    "pretraining.window=16",
    "pretraining.view=32",
    "pretraining.windows_per_tile=2",
    "data.batch_size=8",
    "augmentation=two_views",
    "loss.threshold=-1",
    "loss.top_k=2",
]


def pretrain(run_here, logs, *more):
    return run_here(logs, *PRETRAIN, "logger=csv", *more)


def only_run(logs):
    (run,) = [p for p in (logs / "pretrain_false").iterdir() if not p.is_symlink()]
    return run


@pytest.fixture(scope="module")
def pretrained(run_here, tmp_path_factory):
    logs = tmp_path_factory.mktemp("pretrained") / "logs"
    each = "trainer.check_val_every_n_epoch=1"
    assert pretrain(run_here, logs, "trainer.max_epochs=2", "seed=1", each) == 0
    return logs


def test_a_run_leaves_encoder_scores_curves_and_pictures(pretrained):
    run = only_run(pretrained)
    assert (run / "encoder.pt").is_file()
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"last.ckpt"}
    figures = {p.relative_to(run / "figures").as_posix() for p in (run / "figures").rglob("*.png")}
    assert figures == {"curves.png", "val/view_pairs.png", "val/false_negatives.png"}
    results = json.loads((run / "results.json").read_text())
    for part in ("metrics", "before"):
        for name in ("knn_accuracy", "alignment", "uniformity", "false_negative_precision"):
            assert f"val/{name}" in results[part], (part, name)
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    history = [float(row["val/knn_accuracy"]) for row in rows if row["val/knn_accuracy"]]
    assert len(history) == 3  # before training, and after each epoch
    assert history[0] == pytest.approx(results["before"]["val/knn_accuracy"], abs=1e-6)
    assert history[-1] == pytest.approx(results["metrics"]["val/knn_accuracy"], abs=1e-6)
    accepted = [float(row["train/accepted"]) for row in rows if row.get("train/accepted")]
    assert accepted
    assert max(accepted) > 0


def test_false_t12_stage_1_starts_from_the_pretrained_encoder(
    run_here, pretrained, stage1_overrides, tmp_path, capsys
):
    encoder = only_run(pretrained) / "encoder.pt"
    trained = torch.load(only_run(pretrained) / "checkpoints" / "last.ckpt", weights_only=True)
    weights = torch.load(encoder, weights_only=True)["state_dict"]
    assert torch.equal(
        weights["conv_stem.weight"],
        trained["state_dict"]["network.encoder.model.conv_stem.weight"],
    )
    code = run_here(
        tmp_path / "logs", *stage1_overrides, f"backbone.weights={encoder}", "logger=csv",
        "trainer.max_epochs=1", "optimizer.encoder_lr=0", "optimizer.weight_decay=0",
    )  # fmt: skip
    assert code == 0
    said = "".join(capsys.readouterr().out.split())  # a long path is broken where it may be
    assert f"{len(weights)}of{len(weights)}tensorsfrom{encoder}" in said
    (run,) = [p for p in (tmp_path / "logs" / "stage1").iterdir() if not p.is_symlink()]
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    # An encoder that learns nothing ends as it began: with the pretrained weights.
    ours = state["segmenter.encoder.model.conv_stem.weight"]
    assert torch.equal(ours, weights["conv_stem.weight"])


def test_stage_1_refuses_it_for_images_normalised_otherwise(
    run_here, pretrained, stage1_overrides, tmp_path, capsys
):
    encoder = only_run(pretrained) / "encoder.pt"
    code = run_here(
        tmp_path / "logs", *stage1_overrides, f"backbone.weights={encoder}", "logger=csv",
        "data.mean=[0.5,0.5,0.5]",
    )  # fmt: skip
    assert code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "normalised with mean [0.4416, 0.4475, 0.3587]" in said


def test_too_few_tiles_for_a_batch_and_too_small_tiles_are_said_before_training(
    run_here, tmp_path, capsys
):
    assert pretrain(run_here, tmp_path / "a", "data.batch_size=64") == 1
    assert "data.batch_size to 48 or less" in " ".join(capsys.readouterr().err.split())
    assert pretrain(run_here, tmp_path / "b", "pretraining.window=65") == 1
    assert "pretraining.window is 65" in " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve PNG images of several sizes in folders of several depths."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(12):
        path = root / ("a" if number % 2 else "a/b/c") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(1, 255, (40 + number, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def of_folder(logs, images, *more):
    """The command of a user whose images lie in a folder, made small."""
    return main(REPOSITORY / "configs", [
        "experiment=pretrain_false", "data=image_folder", f"data.root={images}",
        "trainer.accelerator=cpu", "trainer.precision=32-true", f"paths.logs={logs}", "logger=csv",
        "backbone=timm", "backbone.name=mobilenetv2_050", "pretraining.view=32",
        "data.batch_size=4", "trainer.max_epochs=2", *more,
    ])  # fmt: skip


def test_a_folder_of_images_needs_no_list_no_label_and_no_taxonomy(images, tmp_path, capsys):
    options = ["pretraining=whole_images", "loss=calibrated_paper", "trainer.log_every_n_steps=1"]
    assert of_folder(tmp_path / "logs", images, *options, "loss.confidence_weight=0.9") == 0
    said = "".join(capsys.readouterr().out.split())
    assert "experiment=stage1data=DATASETdata.mean=[0.485,0.456,0.406]" in said
    run = only_run(tmp_path / "logs")
    assert (run / "encoder.pt").is_file()
    results = json.loads((run / "results.json").read_text())
    assert set(results["metrics"]) >= {"train/loss", "train/positive_cosine"}
    assert not any(name.startswith("val/") for name in results["metrics"])
    with (run / "metrics.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert max(steps) == 5  # twelve images, one pair each an epoch: three steps, twice
    kept = yaml.safe_load((run / "config.yaml").read_text())
    assert (kept["loss"]["confidence_weight"], kept["loss"]["sentinel"]) == (0.9, 3.0)


def test_the_published_preset_learns_from_a_folder_of_patches(images, tmp_path):
    preset = ["experiment=pretrain_false_paper", "pretraining=whole_images"]
    assert of_folder(tmp_path / "logs", images, *preset) == 0
    run = (tmp_path / "logs" / "pretrain_false_paper" / "latest").resolve()
    kept = yaml.safe_load((run / "config.yaml").read_text())
    assert (kept["loss"]["scope"], kept["loss"]["sentinel"]) == ("batch", 3.0)
    assert (kept["optimizer"]["name"], kept["optimizer"]["lr"]) == ("lars", 4.8)
    assert kept["scheduler"]["name"] == "cosine_restarts"
    assert not kept["pretraining"]["head_relu"]
    weights = torch.load(run / "encoder.pt", weights_only=True)
    tensors = [v for v in weights["state_dict"].values() if v.is_floating_point()]
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def test_windows_of_a_folder_are_learned_from_too(images, tmp_path):
    options = ["pretraining.window=32", "pretraining.windows_per_tile=1", "trainer.max_epochs=1"]
    assert of_folder(tmp_path / "logs", images, *options) == 0
    assert (only_run(tmp_path / "logs") / "encoder.pt").is_file()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["pretraining.window=32", "pretraining.probe_windows=8"], "pretraining.probe_windows=0"),
        (["pretraining.window=32", "pretraining.transductive=true"], "transductive=false"),
        (["pretraining.window=64"], "Set pretraining.window to 41 or less"),
        (["pretraining=whole_images", "data.batch_size=16"], "data.batch_size to 12 or less"),
        (["pretraining=whole_images", "data.kind=tree"], "reads tiles or images"),
        (["loss=ntxent", "loss.confidence_weight=0.9"], "Set one of them"),
    ],
)
def test_what_a_folder_cannot_give_is_said_with_the_setting_that_helps(
    images, tmp_path, capsys, wrong, message
):
    assert of_folder(tmp_path / "logs", images, *wrong) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_missing_list_of_validation_tiles_names_the_probe(run_here, tiny_root, tmp_path, capsys):
    root = tmp_path / "tiles"
    shutil.copytree(tiny_root, root)
    (root / "stage1_val.txt").unlink()
    assert pretrain(run_here, tmp_path / "logs", f"data.root={root}") == 1
    assert "pretraining.probe_windows=0" in " ".join(capsys.readouterr().err.split())


def test_stage_1_refuses_a_contrastive_loss(run_here, stage1_overrides, tmp_path, capsys):
    code = run_here(tmp_path / "logs", *stage1_overrides, "loss=calibrated", "logger=csv")
    assert code == 1
    assert "knows no classes" in " ".join(capsys.readouterr().err.split())


def test_wandb_gets_scores_and_pictures(run_here, offline_wandb, offline_run, tmp_path):
    more = ["trainer.max_epochs=1", "logger=default", "trainer.log_every_n_steps=1"]
    assert pretrain(run_here, tmp_path / "logs", *more) == 0
    (folder,) = (only_run(tmp_path / "logs") / "wandb").glob("offline-run-*")
    run = offline_run(folder)
    assert len(run.values("val/knn_accuracy")) == 2  # before and after; no fifth epoch
    assert len(run.values("train/positive_cosine")) == 12
    for name in ("val/view_pairs", "val/false_negatives"):
        assert run.media(name)[-1]["count"] == 1


@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_an_unbroken_one_bit_by_bit(unbroken_and_resumed, tmp_path):
    options = [*PRETRAIN, "trainer.max_epochs=8", "seed=3", "logger=csv"]
    outputs = ("results.json", "encoder.pt")
    runs = unbroken_and_resumed(tmp_path, *options, least=2, outputs=outputs)
    first, second = (
        torch.load(run / "encoder.pt", weights_only=True)["state_dict"] for run in runs
    )
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    # The scores before training too.
    first, second = (json.loads((run / "results.json").read_text()) for run in runs)
    assert first == second


@pytest.mark.slow
def test_two_processes_train_and_score_the_whole_probe(start_process, tmp_path):
    logs = tmp_path / "logs"
    process = start_process(
        logs, *PRETRAIN, "strategy=ddp", "trainer.devices=2", "logger=csv", "trainer.max_epochs=2",
    )  # fmt: skip
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    run = only_run(logs)
    results = json.loads((run / "results.json").read_text())
    assert 0 <= results["metrics"]["val/knn_accuracy"] <= 1
    assert (run / "encoder.pt").is_file()
    # Before training, the weights are those of a single process, and so is every score.
    alone = tmp_path / "one" / "logs"
    alone.parent.mkdir()
    process = start_process(alone, *PRETRAIN, "logger=csv", "trainer.max_epochs=1")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    before = json.loads((only_run(alone) / "results.json").read_text())["before"]
    for name, value in before.items():
        assert results["before"][name] == pytest.approx(value, abs=1e-4), name
