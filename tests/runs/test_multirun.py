"""A multirun: every job its own folder and its own wandb run, in one group."""

import json

import pytest
import yaml

pytestmark = pytest.mark.slow


def runs_of(logs, experiment):
    return [p for p in (logs / experiment).iterdir() if not p.is_symlink()]


def test_four_jobs_are_four_folders_and_four_wandb_runs_of_one_group(
    start_process, trained, tmp_path
):
    logs = tmp_path / "logs"
    checkpoint = f"checkpoint={(trained / 'stage1' / 'latest').resolve()}"
    sweep = ["-m", "experiment=stage2", checkpoint, "loss=ce,ldam", "seed=0,1"]
    process = start_process(logs, *sweep, "solver.iterations=3")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    runs = runs_of(logs, "stage2")
    assert len(runs) == 4
    configs = [yaml.safe_load((run / "config.yaml").read_text()) for run in runs]
    chosen = {(c["seed"], c["loss"]["_target_"].rsplit(".", 1)[1]) for c in configs}
    assert chosen == {(s, k) for s in (0, 1) for k in ("CrossEntropy", "LDAM")}
    infos = [json.loads((run / "run.json").read_text()) for run in runs]
    assert len({info["sweep"] for info in infos}) == 1
    assert infos[0]["sweep"]
    assert len({info["wandb_id"] for info in infos}) == 4
    for run, info in zip(runs, infos, strict=True):
        assert info["status"] == "finished"
        (offline,) = (run / "wandb").glob("offline-run-*")
        assert offline.name.endswith(info["wandb_id"])


def test_each_job_with_two_devices_trains_with_its_own_hyper_parameters(
    start_process, stage1_overrides, tmp_path
):
    logs = tmp_path / "logs"
    process = start_process(
        logs, "-m", *stage1_overrides, "strategy=ddp", "trainer.devices=2", "logger=csv",
        "seed=0,1", "trainer.max_epochs=1", "data.batch_size=2",
    )  # fmt: skip
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    runs = runs_of(logs, "stage1")
    seeds = {yaml.safe_load((run / "config.yaml").read_text())["seed"] for run in runs}
    assert seeds == {0, 1}
    # Both ranks of a job read the job's own config.yaml: a rank with another seed would have
    # started from other weights, and DDP would have broadcast over it; the order of tiles would
    # still differ, so the ranks' tiles would overlap. The jobs' losses tell that apart.
    losses = {json.loads((r / "results.json").read_text())["metrics"]["val/loss"] for r in runs}
    assert len(losses) == 2


def test_a_mistake_in_one_job_stops_the_sweep_before_the_first(start_process, tmp_path):
    logs = tmp_path / "logs"
    process = start_process(logs, "-m", "experiment=stage2", "loss=ce,cross_entropy")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 1
    assert "there is no such option" in output
    assert not logs.exists()
