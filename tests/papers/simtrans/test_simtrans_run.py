"""SimTrans from its commands to its tables, on the tiny set."""

import json
import shutil

import pytest

WINDOWS = ["backbone=timm", "backbone.name=mobilenetv2_050", "data.window=8", "logger=csv"]
SIM_NET = [
    "experiment=simnet",
    "units.held_out=[tree]",
    "units.batch_size=16",
    "units.val_per_class=12",
    "trainer.limit_train_batches=6",
]


def results(logs, experiment):
    return json.loads((logs / experiment / "latest" / "results.json").read_text())


@pytest.fixture(scope="module")
def with_sim_nets(trained, run_here, tmp_path_factory):
    """Logs with a stage-1 network, a SimNet for windows and one for its pixels."""
    logs = tmp_path_factory.mktemp("sim_nets") / "logs"
    shutil.copytree(trained, logs, symlinks=True)
    windows = [*WINDOWS, *SIM_NET, "trainer.max_epochs=2"]
    assert run_here(logs, *windows) == 0
    pixels = [*SIM_NET, "units=pixels", "units.batch_size=32", "trainer.max_epochs=3"]
    assert run_here(logs, *pixels, "units.per_tile=8", "logger=csv") == 0
    return logs


@pytest.mark.slow
def test_a_sim_net_for_windows_serves_the_weak_shot_run(with_sim_nets, run_here):
    extra = ["weak_shot.base_windows=20", "noise=tile_label", "trainer.max_epochs=1"]
    assert run_here(with_sim_nets, *WINDOWS, "experiment=weak_shot", *extra) == 0
    found = results(with_sim_nets, "weak_shot")
    assert 0 <= found["metrics"]["test/novel_accuracy"] <= 1
    assert 0 <= found["metrics"]["weights/auroc"] <= 1
    assert found["windows"]["noisy"] == 6 * 15 * 15  # one of four classes has no windows
    run = (with_sim_nets / "weak_shot" / "latest").resolve()
    assert (run / "figures" / "weights.png").stat().st_size > 0
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"last.ckpt"}


@pytest.mark.slow
def test_a_sim_net_for_pixels_serves_stage_2(with_sim_nets, run_here):
    found = results(with_sim_nets, "simnet")
    assert found["units"] == "pixels"
    assert found["held_out"] == ["tree"]
    parts = ["support_weighting=simnet", "similarity=simnet", "logger=csv"]
    stage2 = ["experiment=stage2", "adaptation.panels=0"]
    assert run_here(with_sim_nets, *stage2, *parts, "method=classtrans") == 0
    assert results(with_sim_nets, "stage2")["queries"] == 5
    run = (with_sim_nets / "stage2" / "latest").resolve()
    assert (run / "figures" / "similarity.png").is_file()


@pytest.mark.slow
def test_a_sim_net_that_does_not_fit_is_refused(with_sim_nets, run_here, capfd):
    stage2 = ["experiment=stage2", "support_weighting=simnet", "logger=csv"]
    assert run_here(with_sim_nets, *stage2, "adaptation.feature_stride=16") == 1
    assert "feature_stride" in capfd.readouterr().err
    assert run_here(with_sim_nets, *stage2, "method=imprinting") == 1
    assert "method=imprinting has none" in capfd.readouterr().err
    windows = with_sim_nets / "simnet"
    older = sorted(p for p in windows.iterdir() if not p.is_symlink())[0]
    assert run_here(with_sim_nets, *stage2, f"support_weighting.checkpoint={older}") == 1
    assert "compares windows" in capfd.readouterr().err


@pytest.mark.slow
def test_two_processes_train_and_score_as_one_run(start_process, tmp_path):
    logs = tmp_path / "logs"
    two = ["strategy=ddp", "trainer.devices=2", "trainer.max_epochs=1"]
    process = start_process(logs, *WINDOWS, *SIM_NET, *two, "units.beta=0.1")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    assert output.count("never trained on") == 1
    assert results(logs, "simnet")["pairs"] > 0
    weak = ["experiment=weak_shot", "weak_shot.base_windows=20", "weak_shot.weights.anchors=8"]
    process = start_process(logs, *WINDOWS, *weak, *two)
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    found = results(logs, "weak_shot")
    assert sum(map(sum, found["confusion"])) == found["windows"]["test"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["units.held_out=[lawn]"], "tree, rangeland"),
        (["trainer.gradient_clip_val=1"], "gradient_clip_val=null"),
        (["units.classes=1"], "units.classes"),
        (["support_weighting=simnet"], "support_weighting is no setting of experiment="),
        (["units=pixels"], "Stage 2 needs a stage-1 checkpoint|stage-1"),
        (["data.window=60"], "units|window"),
    ],
)
def test_settings_of_a_sim_net_that_cannot_work_are_told(
    run_here, tmp_path, capfd, overrides, message
):
    code = run_here(tmp_path / "logs", "experiment=simnet", "logger=csv", *overrides)
    assert code == 1
    import re

    assert re.search(message, capfd.readouterr().err)


def test_a_weak_shot_run_without_a_sim_net_says_what_to_run_first(run_here, tmp_path, capfd):
    assert run_here(tmp_path / "logs", "experiment=weak_shot", "logger=csv") == 1
    assert "experiment=simnet units=windows" in capfd.readouterr().err
    strange = ["weak_shot.weights.kinds=savg"]
    assert run_here(tmp_path / "logs", "experiment=weak_shot", "logger=csv", *strange) == 1
    assert "weights" in capfd.readouterr().err
