"""A run that is killed in the middle of an epoch ends like one that was not."""

import csv
import json
import os
import signal

import pytest

pytestmark = pytest.mark.slow

EPOCHS = 12
# Random augmentation, and dropout in the decoder: both would show what is not restored.
RUN = [f"trainer.max_epochs={EPOCHS}", "seed=3", "augmentation=default"]


def history(run):
    with (run / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/base_miou"]]
    return {int(row["epoch"]): float(row["val/base_miou"]) for row in rows}


@pytest.mark.parametrize(("least", "callbacks"), [(0, "default"), (3, "ema")])
def test_a_killed_and_resumed_run_equals_an_unbroken_one(
    unbroken_and_resumed, stage1_overrides, tmp_path, least, callbacks
):
    options = [*stage1_overrides, *RUN, f"callbacks={callbacks}"]
    unbroken, resumed = unbroken_and_resumed(tmp_path, *options, least=least)
    first, second = history(unbroken), history(resumed)
    assert sorted(first) == sorted(second) == list(range(EPOCHS))
    for number, value in first.items():
        assert second[number] == pytest.approx(value, abs=1e-6)
    # Both parts of the run carry one wandb id.
    info = json.loads((resumed / "run.json").read_text())
    offline = {p.name.split("-")[-1] for p in (resumed / "wandb").glob("offline-run-*")}
    assert offline == {info["wandb_id"]}


def test_a_run_that_is_asked_to_stop_says_how_to_go_on_and_is_no_success(
    start_process, wait_for_epoch, stage1_overrides, tmp_path
):
    logs = tmp_path / "logs"
    process = start_process(logs, *stage1_overrides, "trainer.max_epochs=2000", "logger=csv")
    run = wait_for_epoch(logs, process, 1)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 1
    assert "resume=" in output
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert not (logs / "stage1" / "latest").exists()
