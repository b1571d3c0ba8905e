"""experiment=sg_one_pascal from the command line, on a tiny folder of VOC, to its end."""

import csv
import json
from pathlib import Path

import pytest
from tests.papers.sg_one.voc import write_voc

from terrashot.app.main import main

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SMALL = [
    "experiment=sg_one_pascal",
    "data=pascal5i",
    "backbone=timm",
    "backbone.name=mobilenetv2_050",
    "decoder=fpn",
    "decoder.pyramid_channels=16",
    "decoder.segmentation_channels=32",
    "optimizer=adamw",
    "optimizer.lr=5e-3",
    "data.crop=64",
    "data.batch_size=4",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "episodes.per_epoch=32",
    "episodes.validation=8",
    "episodes.evaluation=20",
    "episodes.guidance_channels=16",
    "callbacks.panels=2",
    "logger=csv",
]


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    root = tmp_path_factory.mktemp("VOCdevkit") / "VOC2012"
    write_voc(root)
    return root


def run(voc, logs, *overrides):
    return main(CONFIGS, [*overrides, *SMALL, f"data.root={voc}", f"paths.logs={logs}"])


def only_run(logs):
    (found,) = [p for p in (logs / "sg_one_pascal").iterdir() if not p.is_symlink()]
    return found


def of_run(logs):
    return json.loads((only_run(logs) / "results.json").read_text())


@pytest.mark.slow
def test_a_fold_trains_without_stage_1_and_is_scored_with_one_and_five_shots(voc, tmp_path, capsys):
    assert run(voc, tmp_path / "logs", "data.fold=1") == 0
    folder, found = only_run(tmp_path / "logs"), of_run(tmp_path / "logs")
    said = capsys.readouterr().out
    assert "pascal5i fold 1: novel classes one at a time" in said
    for name in ("bus", "car", "cat", "chair", "cow"):
        assert 0 <= found["metrics"][f"test/1_shot_iou/{name}"] <= 1
        assert f"test/5_shot_iou/{name}" in found["metrics"]
    scores = [found["metrics"][f"test/1_shot_iou/{n}"] for n in ("bus", "car", "cat", "chair")]
    scores.append(found["metrics"]["test/1_shot_iou/cow"])
    assert found["metrics"]["test/1_shot_miou"] == pytest.approx(sum(scores) / 5, abs=1e-6)
    assert list(found["episodes"]) == ["SG-One 1 shot", "SG-One 5 shots"]
    for name in ("val_episodes/0", "test_episodes/0", "curves"):
        assert (folder / "figures" / f"{name}.png").is_file()
    # The same network again, without training: the same list, the same scores.
    again = ["data.fold=1", f"episodes.trained={folder}"]
    assert run(voc, tmp_path / "again", *again) == 0
    assert of_run(tmp_path / "again")["metrics"] == {
        key: value for key, value in found["metrics"].items() if key.startswith("test/")
    }
    # A network that has seen a class is not scored on it.
    assert run(voc, tmp_path / "other", "data.fold=0", f"episodes.trained={folder}") == 1
    assert "the data counts as novel" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_the_multirun_over_the_folds_ends_in_their_means(voc, tmp_path, capsys):
    options = ["data.fold=0,1,2,3", "trainer.max_epochs=1", "episodes.evaluation=10"]
    assert main(
        CONFIGS,
        ["-m", *SMALL, *options, f"data.root={voc}", f"paths.logs={tmp_path / 'logs'}"],
    ) == 0  # fmt: skip
    (sweep,) = (tmp_path / "logs" / "sweeps").glob("*/ablation.csv")
    with sweep.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["data.fold"] for row in rows] == ["0", "1", "2", "3", "mean"]
    for column in ("mIoU 1_mean", "mIoU 5_mean", "FB-IoU 1_mean", "FB-IoU 5_mean"):
        values = [float(row[column]) for row in rows]
        assert values[4] == pytest.approx(sum(values[:4]) / 4, abs=1e-5)
    assert "mean" in (sweep.parent / "ablation.md").read_text()
    assert "mean" in (sweep.parent / "report.html").read_text()
    said = capsys.readouterr().out
    assert all(name in said for name in ("data.fold", "mIoU 1", "FB-IoU 5"))
    assert "\n mean " in said


@pytest.mark.slow
def test_the_published_network_runs_with_its_padded_exit(voc, tmp_path):
    published = ["backbone=sg_one_vgg16", "decoder=null", "optimizer=sg_one_faithful"]
    few = ["data.batch_size=1", "episodes.per_epoch=2", "episodes.validation=1"]
    kept = [o for o in SMALL if not o.startswith(("backbone", "decoder", "optimizer"))]
    options = [*published, *few, "episodes.exit_padding=1", "episodes.evaluation=2"]
    arguments = [*kept, *options, "trainer.max_epochs=1", f"data.root={voc}"]
    assert main(CONFIGS, [*arguments, f"paths.logs={tmp_path / 'logs'}"]) == 0
    assert of_run(tmp_path / "logs")["fold"] == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["data.fold=4"], "data.fold is 4"),
        (["episodes.shots=[0]"], "episodes.shots is [0]"),
        (["episodes.exit_padding=1"], "Set episodes.exit_padding=0"),
        (["episodes.tau=0.4"], "experiment=sg_one"),
        (["checkpoint=latest"], "checkpoint is no setting of experiment=sg_one_pascal"),
        (["data.root=nowhere"], "nowhere is no folder of VOC 2012"),
        (["callbacks.monitor=val/base_miou"], "val/episode_miou"),
        (["episodes.min_pixels=4000"], "takes two tiles"),
    ],
)
def test_what_cannot_work_is_said(voc, tmp_path, capsys, wrong, message):
    arguments = [*SMALL, f"data.root={voc}", f"paths.logs={tmp_path / 'logs'}", *wrong]
    assert main(CONFIGS, arguments) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_land_cover_experiment_says_which_one_reads_a_fold(voc, tmp_path, capsys):
    arguments = ["experiment=sg_one", "data=pascal5i", "data.fold=1", f"data.root={voc}"]
    assert main(CONFIGS, [*arguments, f"paths.logs={tmp_path / 'logs'}"]) == 1
    assert "experiment=sg_one_pascal, which reads it" in " ".join(capsys.readouterr().err.split())
