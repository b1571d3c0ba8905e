"""A SLURM cluster on this machine: several nodes of one core, each a ``slurmd`` of its own.

    python tests/cluster/slurm.py start FOLDER --nodes 2
    SLURM_CONF=FOLDER/slurm.conf sinfo
    python tests/cluster/slurm.py stop FOLDER

Needs munge and SLURM (Debian: ``slurm-wlm`` and ``munge``) and root. Everything lies in FOLDER;
what ``stop`` ends are the processes whose ids the daemons have written there.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scontrol", "sinfo")
_SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

# No accounting, no cgroups, nobody but root: what a container has as well.
_CONF = """\
ClusterName=terrashot
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmdLogFile={folder}/slurmd_%n.log
SlurmdSpoolDir={folder}/spool_%n
SlurmdParameters=config_overrides
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_interval=5,batch_sched_delay=1
JobRequeue=1
ReturnToService=2
SlurmdTimeout=20
KillWait=30
MessageTimeout=60
PropagateResourceLimits=NONE
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{nodes}
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing_programs() -> list[str]:
    """What of munge and SLURM is not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_SEARCH) is None]


class SlurmCluster:
    """The cluster whose files lie in ``folder``.

    Args:
        folder: Below nothing that others may write to, or munge refuses.
        nodes: How many.
    """

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder = folder.resolve()
        self.nodes = [f"node{i}" for i in range(1, nodes + 1)]
        self.environment = {
            **os.environ,
            "PATH": _SEARCH,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
        }

    def start(self) -> None:
        """Start the daemons and wait until every node is idle."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        (self.folder / "state").mkdir(exist_ok=True)
        ports = free_ports(len(self.nodes) + 1)
        lines = [
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=1 "
            "RealMemory=8000 State=UNKNOWN"
            for name, port in zip(self.nodes, ports[1:], strict=True)
        ]
        text = _CONF.format(
            host=socket.gethostname(), port=ports[0], folder=self.folder, nodes="\n".join(lines)
        )
        (self.folder / "slurm.conf").write_text(text)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        options = [f"--{name}={self.folder}/munge.{end}" for name, end in files.items()]
        self.run("munged", "--force", f"--seed-file={self.folder}/munge.seed", *options)
        self.run("slurmctld")
        for name in self.nodes:
            self.start_node(name)
        self._wait_idle()

    def start_node(self, name: str) -> None:
        """Start the daemon of a node."""
        self.run("slurmd", "-N", name)

    def kill_node(self, name: str) -> None:
        """End a node as a power cut does: its daemon and all that it has started, at once."""
        daemon = self._pid(self.folder / f"slurmd_{name}.pid")
        mark = {f"SLURMD_NODENAME={name}", f"SLURM_CONF={self.folder}/slurm.conf"}
        tasks = [pid for pid in _processes() if mark <= _environment(pid)]
        steps = [parent for pid in tasks if _name(parent := _parent(pid)) == "slurmstepd"]
        for pid in dict.fromkeys([daemon, *steps, *tasks]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the daemons, by the ids that they have written, jobs first."""
        if (self.folder / "slurmctld.pid").exists():
            limit = time.monotonic() + 60
            jobs = ("squeue", "--noheader", "--format=%A")
            for job in self.run(*jobs, check=False).split():
                self.run("scancel", job, check=False)
            # A node's daemon waits for its steps, which nobody would end after this.
            while self.run(*jobs, check=False).split() and time.monotonic() < limit:
                time.sleep(0.5)
        names = [*(f"slurmd_{n}" for n in self.nodes), "slurmctld", "munge"]
        files = [self.folder / f"{name}.pid" for name in names]
        pids = [self._pid(file) for file in files if file.exists()]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        limit = time.monotonic() + 60
        while any(_status(pid, "State")[:1] not in ("", "Z") for pid in pids):
            if time.monotonic() > limit:
                raise RuntimeError(f"daemons in {self.folder} are still at work: {pids}")
            time.sleep(0.2)

    def run(self, *command: str, check: bool = True) -> str:
        """What a program of SLURM prints; its error where it fails."""
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment, timeout=300
        )
        if check and done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said}")
        return done.stdout

    def _wait_idle(self) -> None:
        limit = time.monotonic() + 120
        while time.monotonic() < limit:
            states = self.run("sinfo", "-N", "-h", "-p", "low", "-o", "%N %t", check=False)
            if states.split("\n").count("") == 1 and all(
                f"{name} idle" in states for name in self.nodes
            ):
                return
            time.sleep(1)
        raise RuntimeError(f"the nodes did not become idle:\n{states}")

    @staticmethod
    def _pid(file: Path) -> int:
        return int(file.read_text())


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> set[str]:
    with suppress(OSError):
        return set(Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0"))
    return set()


def _status(pid: int, key: str) -> str:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return line.partition(":")[2].strip()
    return ""


def _parent(pid: int) -> int:
    return int(_status(pid, "PPid") or 0)


def _name(pid: int) -> str:
    return _status(pid, "Name")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main() -> int:
    """Start or stop a cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("start", "stop", "kill-node", "start-node"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--node", help="of kill-node and start-node")
    options = parser.parse_args()
    if missing := missing_programs():
        print(f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)", file=sys.stderr)
        return 1
    cluster = SlurmCluster(options.folder, options.nodes)
    if options.what == "start":
        cluster.start()
        print(f"export SLURM_CONF={cluster.folder}/slurm.conf")
    elif options.what == "stop":
        cluster.stop()
    elif options.what == "kill-node":
        cluster.kill_node(options.node)
    else:
        cluster.start_node(options.node)
    return 0


if __name__ == "__main__":
    sys.exit(main())
