"""SimTrans on folders of images, from its commands to their end."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from tests.papers.simtrans.image_folders import BASE, NOVEL, make_cub, make_plain

from terrashot.app.main import main

SMALL = [
    "data=image_folders",
    "data.window=32",
    "data.resize=36",
    "data.num_workers=0",
    "backbone=timm",
    "backbone.name=mobilenetv2_050",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=1",
    "logger=csv",
]


def run(repository, logs, root, *overrides):
    fixed = [f"paths.logs={logs}", f"data.root={root}"]
    return main(repository / "configs", [*overrides, *SMALL, *fixed])


def results(folder: Path):
    return json.loads((folder / "results.json").read_text())


def checkpoint(folder: Path, name="last"):
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def phases(repository, tmp_path_factory):
    """The folders of the runs of phases 0, 1, 3a and 3b on a CUB-like folder, and its root."""
    folder = tmp_path_factory.mktemp("phases")
    root, logs = make_cub(folder / "CUB"), folder / "logs"
    commands = {
        "weak_shot_paper_start": ["weak_shot.batch_size=8"],
        "simnet_paper": [
            f"units.start={logs}/weak_shot_paper_start/latest",
            "units.batch_size=8",
            "units.domain_lr=1e-3",
            "units.noisy_frac=0.5",
        ],
        "weak_shot_paper_weighted": ["weak_shot.weights.norm=max", "weak_shot.weights.mu=-4"],
        "weak_shot_paper": [
            f"weak_shot.start={logs}/weak_shot_paper_weighted/latest",
            "weak_shot.graph_batch_size=16",
        ],
    }
    found = {"root": root, "logs": logs}
    for experiment, options in commands.items():
        assert run(repository, logs, root, f"experiment={experiment}", *options) == 0, experiment
        found[experiment] = (logs / experiment / "latest").resolve()
    return found


@pytest.mark.slow
def test_the_phases_follow_each_other(phases):
    for experiment in ("weak_shot_paper_start", "weak_shot_paper_weighted", "weak_shot_paper"):
        found = results(phases[experiment])
        assert found["outputs"] == NOVEL
        assert found["images"] == {"noisy": 16, "train": 16, "test": 8}
        confusion = torch.tensor(found["confusion"])
        assert confusion.sum(dim=1).tolist() == [4, 4]
        shares = (confusion.diag() / 4).tolist()
        assert list(found["per_class"].values()) == pytest.approx(shares)
        assert found["metrics"]["test/novel_accuracy"] == pytest.approx(sum(shares) / 2)
    assert (phases["weak_shot_paper"] / "figures" / "weights.png").stat().st_size > 0
    simnet = results(phases["simnet_paper"])
    assert simnet["held_out"] == []
    assert simnet["classes"] == BASE
    assert simnet["pairs"] == 16 * 15 / 2
    assert (phases["simnet_paper"] / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.slow
def test_the_presets_train_as_published(phases):
    for experiment, rate, epochs in [
        ("weak_shot_paper_start", 1e-4, 20),
        ("simnet_paper", 5e-3, 25),
        ("weak_shot_paper_weighted", 1e-4, 20),
        ("weak_shot_paper", 1e-4, 10),
    ]:
        content = yaml.safe_load((phases[experiment] / "config.yaml").read_text())
        assert content["optimizer"]["lr"] == content["optimizer"]["encoder_lr"] == rate
        assert content["scheduler"]["name"] == "step"
        assert content["scheduler"]["step_epochs"] == epochs
        assert content["scheduler"]["step_factor"] == 0.5
        assert content["trainer"]["gradient_clip_val"] is None
        states = checkpoint(phases[experiment])["optimizer_states"]
        for group in (g for state in states for g in state["param_groups"]):
            assert (group["nesterov"], group["momentum"]) == (False, 0.9)
            assert group["weight_decay"] == 1e-4
    domain = checkpoint(phases["simnet_paper"])["optimizer_states"][1]["param_groups"]
    assert {g["initial_lr"] for g in domain} == {1e-3}


@pytest.mark.slow
def test_a_saved_classifier_is_scored_without_training(phases, repository, capfd):
    root, logs = phases["root"], phases["logs"]
    trained = f"weak_shot.trained={phases['weak_shot_paper']}"
    options = ["experiment=weak_shot", trained, "weak_shot.classes=novel"]
    assert run(repository, logs, root, *options) == 0
    folder = (logs / "weak_shot" / "latest").resolve()
    found, before = results(folder), results(phases["weak_shot_paper"])
    assert found["confusion"] == before["confusion"]
    assert found["metrics"]["test/novel_accuracy"] == before["metrics"]["test/novel_accuracy"]
    assert not (folder / "checkpoints" / "last.ckpt").exists()
    output = capfd.readouterr().out
    assert "top-1 accuracy of each class" in output
    assert NOVEL[0] in output

    options = ["experiment=weak_shot", trained, "weak_shot.classes=all"]
    assert run(repository, logs, root, *options) == 1
    assert "tells 2 classes apart" in capfd.readouterr().err
    options = ["experiment=weak_shot", trained, f"weak_shot.start={phases['weak_shot_paper']}"]
    assert run(repository, logs, root, *options) == 1
    assert "Give one of them" in capfd.readouterr().err
    options = ["experiment=weak_shot", trained, "backbone.name=resnet18"]
    fixed = [f"paths.logs={logs}", f"data.root={root}"]
    assert main(repository / "configs", [*SMALL, *fixed, *options]) == 1
    assert "holds a mobilenetv2_050" in capfd.readouterr().err


@pytest.mark.slow
def test_plain_folders_with_the_options_of_terrashot(repository, tmp_path):
    root, logs = make_plain(tmp_path / "plain"), tmp_path / "logs"
    pairs = ["units.batch_size=8", "trainer.limit_train_batches=2"]
    assert run(repository, logs, root, "experiment=simnet", *pairs) == 0
    assert len(results((logs / "simnet" / "latest").resolve())["held_out"]) == 1
    weak = ["experiment=weak_shot", "weak_shot.batch_size=8", "weak_shot.weights.anchors=2"]
    assert run(repository, logs, root, *weak, "weak_shot.graph=cosine") == 0
    found = results((logs / "weak_shot" / "latest").resolve())
    assert found["images"] == {"noisy": 16, "train": 16 + 24, "test": 10}
    assert set(found["per_class"]) == {f"class {i}" for i in range(5)}
    assert 0 <= found["metrics"]["test/harmonic_accuracy"] <= 1


@pytest.mark.parametrize(
    ("experiment", "overrides", "message"),
    [
        ("simnet", ["units=pixels"], "units=pixels compares features of a stage-1 network"),
        ("simnet", ["data.resize=20"], "data.resize is 20"),
        ("simnet", ["units.held_out=[owl]"], "001.Black_footed_Albatross"),
        ("simnet", ["data.novel=nowhere.txt"], "nowhere.txt does not exist"),
        ("simnet", ["data.layout=car"], "CampCar does not exist"),
        ("simnet", ["data.window=16"], "data.window is 16"),
        ("simnet", ["units.start=nowhere"], "units.start=nowhere"),
        ("weak_shot", ["noise=tile_label"], "noise is no setting of experiment=weak_shot with"),
        ("weak_shot", ["augmentation=none"], "augmentation is no setting of"),
        ("weak_shot", ["weak_shot.trained=nowhere"], "weak_shot.trained=nowhere"),
        ("weak_shot", [], "experiment=simnet data=image_folders"),
        ("weak_shot", ["weak_shot.weights.norm=min"], "must be mean or max"),
        ("stage1", [], "experiment=stage1 reads tiles"),
    ],
)
def test_what_cannot_work_on_folders_is_told(
    repository, cub, tmp_path, capfd, experiment, overrides, message
):
    fixed = [f"data.root={cub}", f"paths.logs={tmp_path / 'logs'}", "logger=csv"]
    arguments = [f"experiment={experiment}", "data=image_folders", *fixed, *overrides]
    assert main(repository / "configs", arguments) == 1
    assert message in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "logs").exists()


def test_an_image_that_is_none_stops_a_run_before_it_trains(repository, tmp_path, capfd):
    root = make_cub(tmp_path / "CUB")
    (root / "CUB_web" / NOVEL[0] / "3.jpg").write_text("<html>gone</html>")
    logs = tmp_path / "logs"
    assert run(repository, logs, root, "experiment=weak_shot_paper_start") == 1
    assert "3.jpg (UnidentifiedImageError" in " ".join(capfd.readouterr().err.split())
