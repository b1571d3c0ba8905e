"""What has started this process: a person, SLURM or torchrun, and beside how many others."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
)

from terrashot.errors import ConfigError
from terrashot.tasks.settings.groups import DeviceSettings


@dataclass(frozen=True)
class Launch:
    """How this process was started.

    Args:
        name: What all processes of the launch have in common and keep when they are started
            again, for example ``slurm job 1234 of alps``; None: started by hand.
        job: SLURM's number of the job; None: no job.
        starter: ``srun`` or ``torchrun`` where it has started all processes of the run, and not
            just this one.
        processes: How many it has started.
        rank: Which of them this one is.
        nodes: On how many nodes, as far as ``srun`` says it.
        restarts: How often the launch was started again.
    """

    name: str | None = None
    job: str | None = None
    starter: str | None = None
    processes: int = 1
    rank: int = 0
    nodes: int | None = None
    restarts: int = 0

    @classmethod
    def of_process(cls, environment: Mapping[str, str] | None = None) -> "Launch":
        """Read the environment of this process."""
        found = os.environ if environment is None else environment
        job = None if "SLURM_PTY_PORT" in found else found.get("SLURM_JOB_ID")  # a person's shell
        run = found.get("TORCHELASTIC_RUN_ID")
        name = None if run is None else f"torchrun {run}"
        if job is not None:
            name = f"slurm job {job} of {found.get('SLURM_CLUSTER_NAME', 'a cluster')}"
        counts = ("SLURM_RESTART_COUNT" if job else "", "TORCHELASTIC_RESTART_COUNT")
        restarts = sum(int(found.get(count, 0)) for count in counts)
        if run is not None:
            size, rank = int(found.get("WORLD_SIZE", 1)), int(found.get("RANK", 0))
            return cls(name, job, "torchrun", size, rank, restarts=restarts)
        tasks = int(found.get("SLURM_STEP_NUM_TASKS", 1))
        # A script of sbatch knows how many tasks its job has, but is itself none of them.
        if job is None or "SLURM_STEP_ID" not in found or tasks == 1:
            return cls(name, job, restarts=restarts)
        nodes = int(found.get("SLURM_STEP_NUM_NODES", 1))
        return cls(name, job, "srun", tasks, int(found["SLURM_PROCID"]), nodes, restarts)

    def check(self, trainer: DeviceSettings) -> None:
        """Raise a ConfigError where another number of processes was started than is asked for."""
        wanted = trainer.devices * trainer.num_nodes
        asked = f"trainer.devices={trainer.devices} and trainer.num_nodes={trainer.num_nodes}"
        if self.starter is None:
            if trainer.num_nodes > 1:
                raise ConfigError(
                    f"{asked} ask for processes on several nodes, but this process was started "
                    "alone. Let `srun` (in a script of sbatch: `srun python run.py ...`) or "
                    "torchrun start them on all nodes, or set trainer.num_nodes=1."
                )
        elif self.processes != wanted:
            raise ConfigError(
                f"{self.starter} has started {self.processes} processes, but {asked} ask for "
                f"{wanted}. Set them, and strategy=ddp, to what was started: processes per node "
                "and nodes; or start as many as they ask for (a run of one process: one task)."
            )
        elif self.nodes is not None and self.nodes != trainer.num_nodes:
            raise ConfigError(
                f"srun has started {self.processes} tasks on {self.nodes} node(s), but "
                f"trainer.num_nodes={trainer.num_nodes}. Start them with --nodes="
                f"{trainer.num_nodes} --ntasks-per-node={trainer.devices}, or set "
                "trainer.num_nodes and trainer.devices to what was started."
            )
        if self.starter == "srun" and "SLURM_NTASKS_PER_NODE" not in os.environ:
            raise ConfigError(
                f"srun has started {self.processes} tasks without being told how many belong on a "
                f"node. Ask for them with --nodes={trainer.num_nodes} --ntasks-per-node="
                f"{trainer.devices} in place of --ntasks."
            )

    def environment(self) -> ClusterEnvironment | None:
        """What tells Lightning about the other processes; None: it finds out by itself."""
        if self.starter == "srun":
            # What a run goes on with is its last whole epoch, so Lightning's own checkpoint in
            # the middle of one, and its way to go on from there, stay off.
            return SLURMEnvironment(auto_requeue=False)
        # In a job that has one task, terrashot starts the processes of several devices itself.
        return LightningEnvironment() if self.job is not None and self.starter is None else None
