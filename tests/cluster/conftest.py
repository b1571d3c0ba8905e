"""A SLURM cluster of two nodes, and jobs on it that train on the tiny set."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.slurm import SlurmCluster, missing_programs
from tests.fixtures.runs import small

_SECONDS = 1500  # imports alone take minutes on a busy machine
_SCRIPT = """\
#!/bin/bash
#SBATCH --output={folder}/job.out --open-mode=append --requeue --time=60 {options}
export MASTER_ADDR=127.0.0.1  # its nodes are no hosts
srun --kill-on-bad-exit=1 {command}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[SlurmCluster]:
    """Started once a file; its processes end with it."""
    if missing := missing_programs():
        pytest.skip(f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)")
    if os.geteuid() != 0:
        pytest.skip("only root starts the daemons of a cluster")
    made = SlurmCluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Job:
    """A job of sbatch: ``folder`` holds its output and its logs."""

    def __init__(self, cluster: SlurmCluster, folder: Path, command: str, *options: str) -> None:
        self.cluster, self.folder = cluster, folder
        script = folder / "job.sh"
        script.write_text(_SCRIPT.format(folder=folder, command=command, options=" ".join(options)))
        cluster.environment |= {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
        self.id = cluster.run("sbatch", "--parsable", str(script)).strip()

    @property
    def output(self) -> str:
        """What the job has said so far."""
        file = self.folder / "job.out"
        return file.read_text(errors="replace") if file.exists() else ""

    def field(self, name: str) -> str:
        """What SLURM says about the job."""
        text = self.cluster.run("scontrol", "show", "job", self.id)
        return next((w.partition("=")[2] for w in text.split() if w.startswith(f"{name}=")), "")

    def wait(self, reached: Callable[[], object], seconds: float = _SECONDS) -> None:
        """Until ``reached`` is true."""
        limit = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < limit, (self.field("JobState"), self.output)
            time.sleep(1)

    def wait_for_state(self, *states: str) -> None:
        """Until SLURM says one of them."""
        self.wait(lambda: self.field("JobState") in states)

    def run_now(self) -> None:
        """Let a job that was put back in line start without SLURM's two minutes of patience."""
        self.wait_for_state("PENDING", "RUNNING")
        self.cluster.run("scontrol", "update", f"JobId={self.id}", "StartTime=now", check=False)

    @property
    def runs(self) -> list[Path]:
        """Folders of the runs that it has made."""
        found = self.folder.glob("logs/*/*/run.json")
        return [file.parent for file in found if not file.parent.is_symlink()]

    def info(self) -> dict[str, object]:
        """``run.json`` of its only run."""
        (run,) = self.runs
        return json.loads((run / "run.json").read_text())


@pytest.fixture(scope="session")
def training(repository, tiny_root, stage1_overrides) -> Callable[..., str]:
    """The command line of a stage-1 run whose logs lie in ``folder``."""

    def command(folder: Path, *options: str) -> str:
        fixed = small(tiny_root, stage1_overrides)
        own = ["data.num_workers=0", "logger=csv", f"paths.logs={folder}/logs"]
        words = [sys.executable, str(repository / "run.py"), *fixed, *stage1_overrides, *own]
        return " ".join([*words, *options])

    return command
