"""Runs on a real SLURM: two nodes, a node that dies, time limits, sweeps."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.cluster.conftest import Job

from terrashot.app.run.launch import Launch

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

TWO_NODES = ("--nodes=2", "--ntasks-per-node=1")
DDP = ("strategy=ddp", "trainer.num_nodes=2")


@pytest.fixture
def submit(cluster, tmp_path):
    """Send a command to the cluster; the job is cancelled where it outlives the test."""
    jobs = []

    def send(command: str, *options: str) -> Job:
        jobs.append(Job(cluster, tmp_path, command, *options))
        return jobs[-1]

    yield send
    for job in jobs:
        cluster.run("scancel", job.id, check=False)


def environments(folder: Path) -> list[dict[str, str]]:
    texts = [file.read_bytes().decode() for file in sorted(folder.glob("env_*"))]
    return [dict(v.split("=", 1) for v in text.split("\0") if "=" in v) for text in texts]


def test_slurm_says_what_a_launch_is_read_from(submit, cluster, tmp_path):
    task = f"bash -c 'cp /proc/self/environ {tmp_path}/env_$SLURM_PROCID; sleep 5'"
    job = submit(task, *TWO_NODES)
    job.wait(lambda: len(environments(tmp_path)) == 2, 60)
    launches = [Launch.of_process(found) for found in environments(tmp_path)]
    name = f"slurm job {job.id} of terrashot"
    assert launches == [Launch(name, job.id, "srun", 2, rank, 2) for rank in (0, 1)]
    cluster.run("scontrol", "requeue", job.id)
    for file in tmp_path.glob("env_*"):
        file.unlink()
    job.run_now()
    job.wait(lambda: len(environments(tmp_path)) == 2, 240)
    again = [Launch.of_process(found) for found in environments(tmp_path)]
    assert [launch.restarts for launch in again] == [1, 1]
    assert [launch.name for launch in again] == [name, name]


def test_two_nodes_train_one_run_which_goes_on_when_a_node_has_died(
    submit, cluster, tmp_path, training
):
    job = submit(training(tmp_path, *DDP, "trainer.max_epochs=30"), *TWO_NODES)
    job.wait(lambda: "epoch 2/30" in job.output)
    cluster.kill_node("node2")
    job.wait(lambda: job.field("Restarts") == "1", 240)  # the other process may end on its own
    assert job.info()["status"] == "failed"
    cluster.start_node("node2")
    job.wait_for_state("COMPLETED")  # after SLURM's two minutes of patience with a node
    assert job.field("Restarts") == "1"
    info = job.info()  # of the only run
    assert (info["status"], len(info["resumed"])) == ("finished", 1)
    assert job.output.count("epoch 1/30") == job.output.count("epoch 30/30") == 1


def test_a_run_comes_again_before_its_time_limit_and_stops_at_it_where_that_is_no_help(
    submit, cluster, tmp_path, training
):
    job = submit(training(tmp_path, "trainer.max_epochs=2000"), "--signal=USR1@30")
    job.wait(lambda: "epoch 2/2000" in job.output)
    cluster.run("scancel", "--signal=USR1", job.id)
    job.wait(lambda: "is put back in line" in job.output, 60)
    job.run_now()
    job.wait(lambda: (info := job.info())["status"] == "running" and len(info["resumed"]) == 1)
    last = max(map(int, re.findall(r"epoch (\d+)/2000", job.output)))
    job.wait(lambda: f"epoch {last + 2}/2000" in job.output)
    assert job.output.count("epoch 1/2000") == 1
    minutes = (
        1
        + sum(60**k * int(v) for k, v in enumerate(reversed(job.field("RunTime").split(":")))) // 60
    )
    cluster.run("scontrol", "update", f"JobId={job.id}", f"TimeLimit={minutes}", "Requeue=0")
    job.wait_for_state("TIMEOUT", "COMPLETED")
    assert job.info()["status"] == "failed"
    (run,) = job.runs
    assert f"resume={run}" in "".join(job.output.split("\n"))


def test_a_sweep_of_jobs_ends_in_its_table(cluster, tmp_path, training):
    command = [*training(tmp_path, "trainer.max_epochs=2").split(), "-m", "seed=0,1"]
    launcher = {"partition": "low", "cpus_per_task": 1, "mem_gb": 4, "timeout_min": 60}
    options = [f"hydra.launcher.{key}={value}" for key, value in launcher.items()]
    done = subprocess.run(
        [*command, "launcher=slurm_cpu", *options],
        capture_output=True, text=True, timeout=3000, cwd=tmp_path, check=False,
        env=cluster.environment | {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(f.read_text()) for f in tmp_path.glob("logs/stage1/2*/run.json")]
    assert [info["status"] for info in found] == ["finished", "finished"]
    assert all(re.match(r"slurm job \d+ of terrashot", info["launch"]) for info in found)
    assert list(tmp_path.glob("logs/sweeps/*/ablation.md"))
