"""What the environment says about the processes of a run, and what of it fits the settings."""

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment

from terrashot.app.run.launch import Launch
from terrashot.errors import ConfigError
from terrashot.tasks.settings.groups import DeviceSettings

# As SLURM 22.05 sets them.
BATCH = {
    "SLURM_JOB_ID": "1234",
    "SLURM_CLUSTER_NAME": "alps",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "0",
}
STEP = {
    **BATCH,
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "1",
}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "RANK": "3"}


@pytest.fixture(autouse=True)
def tasks_per_node(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "1")


def test_a_run_of_a_person_knows_no_launch():
    launch = Launch.of_process({})
    assert launch == Launch()
    assert launch.environment() is None


def test_tasks_of_srun_are_the_processes_of_one_run():
    launch = Launch.of_process(STEP)
    assert (launch.starter, launch.processes, launch.rank, launch.nodes) == ("srun", 2, 1, 2)
    assert launch.name == "slurm job 1234 of alps"
    environment = launch.environment()
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue


def test_the_script_of_a_job_is_one_process_whatever_tasks_the_job_has():
    launch = Launch.of_process(BATCH)
    assert (launch.starter, launch.processes, launch.rank) == (None, 1, 0)
    assert launch.name == "slurm job 1234 of alps"
    assert isinstance(launch.environment(), LightningEnvironment)  # several devices: ours to start
    launch.check(DeviceSettings(devices=2))


def test_a_shell_in_a_job_is_a_person():
    assert Launch.of_process({**STEP, "SLURM_PTY_PORT": "33000"}) == Launch()


def test_a_job_keeps_its_name_when_slurm_starts_it_again():
    again = Launch.of_process({**STEP, "SLURM_RESTART_COUNT": "2"})
    assert again.restarts == 2
    assert again.name == Launch.of_process(STEP).name


def test_processes_of_torchrun():
    launch = Launch.of_process({**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "1"})
    assert (launch.starter, launch.processes, launch.rank) == ("torchrun", 4, 3)
    assert (launch.name, launch.restarts) == ("torchrun none", 1)
    assert launch.environment() is None


def test_torchrun_in_a_job_is_known_by_the_job_and_counts_both_kinds_of_restarts():
    counts = {"SLURM_RESTART_COUNT": "1", "TORCHELASTIC_RESTART_COUNT": "1"}
    launch = Launch.of_process({**STEP, **TORCHRUN, **counts})
    assert (launch.starter, launch.rank, launch.restarts) == ("torchrun", 3, 2)
    assert launch.name == "slurm job 1234 of alps"


@pytest.mark.parametrize(
    ("environment", "devices", "nodes"), [(STEP, 1, 2), (TORCHRUN, 2, 2), (TORCHRUN, 4, 1)]
)
def test_as_many_processes_as_asked_for_pass(environment, devices, nodes):
    Launch.of_process(environment).check(DeviceSettings(devices=devices, num_nodes=nodes))


@pytest.mark.parametrize(
    ("environment", "devices", "nodes", "message"),
    [
        ({}, 1, 2, "started alone.*srun.*torchrun"),
        (BATCH, 1, 2, "started alone"),
        (STEP, 1, 1, "srun has started 2 processes, but trainer.devices=1 and .* ask for 1"),
        (STEP, 2, 1, r"2 tasks on 2 node\(s\), but trainer.num_nodes=1.*--ntasks-per-node=2"),
        (TORCHRUN, 2, 1, "torchrun has started 4 processes, but trainer.devices=2"),
    ],
)
def test_another_number_of_processes_is_refused(environment, devices, nodes, message):
    with pytest.raises(ConfigError, match=message):
        Launch.of_process(environment).check(DeviceSettings(devices=devices, num_nodes=nodes))


def test_tasks_that_may_lie_on_any_node_are_refused(monkeypatch):
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(ConfigError, match="--nodes=2 --ntasks-per-node=1 in place of --ntasks"):
        Launch.of_process(STEP).check(DeviceSettings(devices=1, num_nodes=2))
