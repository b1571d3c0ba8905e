"""experiment=sg_one from the command line."""

import json

import pytest
import torch

SMALL = [
    "episodes.per_epoch=32",
    "episodes.validation=6",
    "episodes.evaluation=40",
    "episodes.min_pixels=100",
    "episodes.guidance_channels=16",
    "data.crop=48",
    "callbacks.panels=2",
]
TWO = ["strategy=ddp", "trainer.devices=2"]


def of_stage1(logs):
    return f"checkpoint={(logs / 'stage1' / 'latest').resolve()}"


def only_run(logs):
    (run,) = [p for p in (logs / "sg_one").iterdir() if not p.is_symlink()]
    return run


def results(logs):
    return json.loads((only_run(logs) / "results.json").read_text())


@pytest.fixture(scope="module")
def sg_one(run_here, trained, tmp_path_factory):
    """The logs of a finished run, and what it printed is checked by the first test."""
    logs = tmp_path_factory.mktemp("sg_one") / "logs"
    options = [of_stage1(trained), *SMALL, "logger=csv", "trainer.max_epochs=3"]
    assert run_here(logs, "experiment=sg_one", *options) == 0
    return logs


def test_a_run_ends_in_scores_figures_and_a_checkpoint(sg_one):
    run, found = only_run(sg_one), results(sg_one)
    metrics = found["metrics"]
    for name in ("one_shot_miou", "all_shots_fb_iou", "base_miou", "novel_miou", "weighted_miou"):
        assert 0 <= metrics[f"test/{name}"] <= 1
    assert found["shots"] == 2
    assert found["queries"] == 5
    assert sum(map(sum, found["confusion"])) == 5 * 64 * 64
    assert list(found["episodes"]) == [
        "SG-One 1 shot",
        "imprinting 1 shot",
        "SG-One 2 shots",
        "imprinting 2 shots",
    ]
    for name in ("val_episodes/0", "test_episodes/0", "test_confusion", "curves"):
        assert (run / "figures" / f"{name}.png").is_file()
    assert (run / "checkpoints" / "best.ckpt").is_file()


def test_a_trained_network_is_evaluated_again_without_training(sg_one, run_here, trained, tmp_path):
    options = [of_stage1(trained), *SMALL, "logger=csv", f"episodes.trained={only_run(sg_one)}"]
    assert run_here(tmp_path / "same", "experiment=sg_one", *options) == 0
    assert results(tmp_path / "same")["episodes"] == results(sg_one)["episodes"]
    assert results(tmp_path / "same")["confusion"] == results(sg_one)["confusion"]
    assert run_here(tmp_path / "none", "experiment=sg_one", *options, "episodes.tau=0.999") == 0
    none = results(tmp_path / "none")
    assert none["metrics"]["test/base_miou"] >= none["base_model"]["test/base_miou"] - 1e-6
    assert none["episodes"] == results(sg_one)["episodes"]  # tau is for the map alone


def test_the_imprinted_map_is_that_of_stage_2(sg_one, run_here, trained, tmp_path):
    options = [of_stage1(trained), "logger=csv", "method=imprinting"]
    assert run_here(tmp_path / "logs", "experiment=stage2", *options) == 0
    (run,) = [p for p in (tmp_path / "logs" / "stage2").iterdir() if not p.is_symlink()]
    expected = json.loads((run / "results.json").read_text())
    found = results(sg_one)
    assert found["base_model"] == expected["base_model"]
    for name, value in found["imprinting"].items():
        assert value == pytest.approx(expected["metrics"][name], abs=1e-6), name


def test_stage_2_runs_guided_and_a_file_cannot_hold_that(run_here, trained, tmp_path, capsys):
    options = [of_stage1(trained), "logger=csv", "method=imprinting", "guidance=cosine"]
    assert run_here(tmp_path / "logs", "experiment=stage2", *options) == 0
    (run,) = [p for p in (tmp_path / "logs" / "stage2").iterdir() if not p.is_symlink()]
    found = json.loads((run / "results.json").read_text())
    assert found["metrics"]["test/novel_miou"] > 0
    assert found["metrics"]["test/novel_miou"] != found["base_model"]["test/novel_miou"]
    assert run_here(tmp_path / "logs", "experiment=adapt", *options) == 1
    assert "Leave guidance out" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["episodes.shot_fusion=max"], "avg_unit"),
        (["episodes.tau=1.5"], "episodes.tau is 1.5"),
        (["episodes.per_epoch=0"], "episodes.per_epoch is 0"),
        (["episodes.min_pixels=9999"], "episodes.min_pixels is 9999"),
        (["loss=ldam"], "loss=ce"),
        (["optimizer=sg_one_faithful"], "scheduler=constant"),
        (["similarity=transport"], "similarity is no setting of experiment=sg_one"),
        (["backbone=sg_one_vgg16", "decoder=fpn"], "decoder=null"),
        (["backbone=mobilenetv2"], "backbone and decoder go together"),
        (["callbacks.monitor=val/base_miou"], "val/episode_miou"),
        (["episodes.trained=nowhere"], "nowhere"),
        (["episodes.max_foreground=0.01", "episodes.min_pixels=200"], "takes two tiles"),
    ],
)
def test_what_cannot_work_is_said(run_here, trained, tmp_path, capsys, wrong, message):
    options = [of_stage1(trained), *SMALL, "logger=csv", "trainer.max_epochs=1"]
    assert run_here(tmp_path / "logs", "experiment=sg_one", *options, *wrong) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_stage_1_checkpoint_is_no_sg_one_network(run_here, trained, tmp_path, capsys):
    stage1 = (trained / "stage1" / "latest").resolve()
    options = [of_stage1(trained), *SMALL, "logger=csv", f"episodes.trained={stage1}"]
    assert run_here(tmp_path / "logs", "experiment=sg_one", *options) == 1
    assert "a stage-1 checkpoint, not a checkpoint of SG-One" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.slow
def test_the_published_network_and_optimizer_run_on_tiles(run_here, trained, tmp_path):
    logs = tmp_path / "logs"
    few = ["episodes.per_epoch=4", "episodes.validation=2", "episodes.evaluation=4"]
    small = ["data.crop=48", "episodes.min_pixels=100", "trainer.max_epochs=1", "logger=csv"]
    assert run_here(logs, "experiment=sg_one_paper", of_stage1(trained), *few, *small) == 0
    run = (logs / "sg_one_paper" / "latest").resolve()
    metrics = json.loads((run / "results.json").read_text())["metrics"]
    assert 0 <= metrics["test/one_shot_miou"] <= 1
    kept = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 4  # one episode a step
    (optimizer,) = kept["optimizer_states"]
    found = {(group["lr"], group["momentum"]) for group in optimizer["param_groups"]}
    assert found == {(rate, 0.99) for rate in (1e-5, 2e-5, 1e-4, 2e-4)}


@pytest.mark.slow
def test_two_processes_train_and_score_like_one(start_process, sg_one, trained, tmp_path):
    found = {}
    for name, extra in {"one": [], "two": TWO}.items():
        logs = tmp_path / name / "logs"
        logs.parent.mkdir()
        options = [of_stage1(trained), *SMALL, f"episodes.trained={only_run(sg_one)}"]
        process = start_process(logs, "experiment=sg_one", *options, "logger=csv", *extra)
        output, _ = process.communicate(timeout=1200)
        assert process.returncode == 0, output
        found[name] = results(logs)
    assert found["one"]["confusion"] == found["two"]["confusion"]
    assert found["one"]["episodes"] == found["two"]["episodes"]
    assert found["one"]["queries"] == found["two"]["queries"] == 5

    logs = tmp_path / "trained" / "logs"
    logs.parent.mkdir()
    options = [of_stage1(trained), *SMALL, "logger=csv", *TWO, "trainer.max_epochs=1"]
    process = start_process(logs, "experiment=sg_one", *options, "data.batch_size=2")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    assert results(logs)["queries"] == 5


@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_an_unbroken_one(unbroken_and_resumed, trained, tmp_path):
    options = [of_stage1(trained), *SMALL, "trainer.max_epochs=4", "augmentation=default"]
    runs = unbroken_and_resumed(tmp_path, "experiment=sg_one", *options)
    first, second = (json.loads((run / "results.json").read_text()) for run in runs)
    assert first["confusion"] == second["confusion"]
    assert first["episodes"] == second["episodes"]
