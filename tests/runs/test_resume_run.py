"""A run that is killed in the middle of an epoch ends like one that was not."""

import csv
import json
import os
import signal
import subprocess
import time

import pytest
import torch

pytestmark = pytest.mark.slow

EPOCHS = 12
# Random augmentation, and dropout in the decoder: both would show what is not restored.
RUN = [f"trainer.max_epochs={EPOCHS}", "seed=3", "augmentation=default"]


def history(run):
    with (run / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/base_miou"]]
    return {int(row["epoch"]): float(row["val/base_miou"]) for row in rows}


def wait_for_an_epoch(run_folder, process, least, deadline=180.0):
    """Return the run once its last.ckpt is of epoch ``least`` or a later one."""
    began = time.monotonic()
    while time.monotonic() - began < deadline:
        assert process.poll() is None, process.stdout.read()
        found = list(run_folder.glob("*/checkpoints/last.ckpt"))
        if found:
            epoch = torch.load(found[0], weights_only=True)["epoch"]
            if epoch >= least:
                return found[0].parent.parent, epoch
        time.sleep(0.01)
    raise AssertionError("no checkpoint appeared")


@pytest.mark.parametrize("least", [0, 3])
def test_a_killed_and_resumed_run_equals_an_unbroken_one(
    start_process, stage1_overrides, tmp_path, least
):
    whole, broken = tmp_path / "a" / "logs", tmp_path / "b" / "logs"
    for logs in (whole, broken):
        logs.parent.mkdir()
    process = start_process(whole, *stage1_overrides, *RUN)
    assert process.wait(300) == 0, process.stdout.read()
    (unbroken,) = [p for p in (whole / "stage1").iterdir() if not p.is_symlink()]

    process = start_process(broken, *stage1_overrides, *RUN)
    run, epoch = wait_for_an_epoch(broken / "stage1", process, least)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert epoch < EPOCHS - 1
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)  # whole

    command = [*process.args[:2], "experiment=stage1", f"paths.logs={broken}", "resume=latest"]
    # As many threads as the run before: sums in another order differ in the last digits.
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=broken.parent, timeout=300, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = history(unbroken), history(run)
    assert sorted(first) == sorted(second) == list(range(EPOCHS))
    for number, value in first.items():
        assert second[number] == pytest.approx(value, abs=1e-6)
    info = json.loads((run / "run.json").read_text())
    assert info["status"] == "finished"
    assert len(info["resumed"]) == 1
    # Both parts of the run carry one wandb id.
    offline = {p.name.split("-")[-1] for p in (run / "wandb").glob("offline-run-*")}
    assert offline == {info["wandb_id"]}


def test_a_run_that_is_asked_to_stop_says_how_to_go_on_and_is_no_success(
    start_process, stage1_overrides, tmp_path
):
    logs = tmp_path / "logs"
    process = start_process(logs, *stage1_overrides, "trainer.max_epochs=2000", "logger=csv")
    run, _ = wait_for_an_epoch(logs / "stage1", process, 1)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "resume=" in output
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert not (logs / "stage1" / "latest").exists()
