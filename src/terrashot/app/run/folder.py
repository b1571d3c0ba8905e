"""The folder of a run: logs/<experiment>/<date_time>/, its status, and the pointer `latest`."""

import contextlib
import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from terrashot.errors import ConfigError
from terrashot.files import locked, read_text, write_json
from terrashot.full_disk import full_disk_told

RUNNING, FINISHED, FAILED = "running", "finished", "failed"


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; ``run.json`` in it says how the run stands."""

    path: Path

    @classmethod
    def create(cls, logs: Path, experiment: str, fixed: str | None = None) -> "RunFolder":
        """Make a folder that no other run has, also when two start in the same second."""
        if fixed is not None:
            Path(fixed).mkdir(parents=True, exist_ok=True)
            return cls(Path(fixed))
        parent = logs / experiment
        with full_disk_told(parent):
            return cls._make(parent)

    @classmethod
    def _make(cls, parent: Path) -> "RunFolder":
        parent.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        for number in range(10_000):
            path = parent / (stamp if number == 0 else f"{stamp}_{number}")
            # mkdir either makes the folder or fails: the one atomic test-and-set of a filesystem.
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return cls(path)
        raise ConfigError(f"{parent} already holds 10,000 runs of {stamp}; set another paths.logs.")

    @property
    def is_of_first_process(self) -> bool:
        """Whether this process is the first of the run, the one that writes into the folder."""
        ranks = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
        return all(os.environ.get(name, "0") == "0" for name in ranks)

    @property
    def checkpoints(self) -> Path:
        """Where best.ckpt and last.ckpt lie."""
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        """Where pictures lie."""
        return self.path / "figures"

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def results(self) -> Path:
        """The final metrics."""
        return self.path / "results.json"

    def read_info(self) -> dict[str, Any]:
        """What ``run.json`` says; empty where there is none, or none that can be read."""
        with contextlib.suppress(OSError):
            return self._kept_info()
        return {}

    def update_info(self, **values: Any) -> None:  # noqa: ANN401 - JSON values
        """Add values to ``run.json``."""
        write_json(self.path / "run.json", {**self._kept_info(), **values})

    def _kept_info(self) -> dict[str, Any]:
        """What ``run.json`` says; one that can't be read at the moment is not an empty one."""
        try:
            info = json.loads(read_text(self.path / "run.json"))
        except (FileNotFoundError, ValueError):
            return {}
        return info if isinstance(info, dict) else {}

    def locked(self, patience: float = 0.0) -> AbstractContextManager[bool]:
        """Hold the folder for this process; yields False where another one that lives holds it.

        Args:
            patience: Seconds to wait for the other one.
        """
        return locked(self.path / ".lock", patience)

    def check_free(self) -> None:
        """Raise a ConfigError where another process is at work in the folder."""
        with self.locked() as free:
            if not free:
                raise self.at_work()

    def at_work(self) -> ConfigError:
        """What is said where another process is at work in the folder."""
        return ConfigError(
            f"{self.path} is the folder of a run that is still at work. Wait for its "
            "end or stop it first; a new run takes a folder of its own."
        )

    def start(
        self, task: str, data: str, command: str, sweep: str | None = None, job: str | None = None
    ) -> None:
        """Say that the run has begun, from which code and command."""
        info = self._kept_info()
        self.update_info(
            status=RUNNING,
            task=task,
            data=data,
            sweep=sweep or info.get("sweep"),
            job=job or info.get("job"),
            started=info.get("started", now()),
            resumed=[*info.get("resumed", []), now()] if info else [],
            wandb_id=info.get("wandb_id", os.urandom(4).hex()),
            command=command,
            git=git_revision(),
            versions=_versions(),
        )

    def finish(self, status: str) -> None:
        """Say how the run ended; a finished one becomes ``latest``.

        Later processes say nothing, unless the first one has died and cannot say it any more.
        """
        if not self.is_of_first_process:
            if status == FAILED:
                with self.locked() as free:
                    if free and self.read_info().get("status") == RUNNING:
                        self.update_info(status=status, ended=now())
            return
        if status == FINISHED:
            self.update_info(status=status, ended=now())
            self._point_latest()
            return
        with contextlib.suppress(OSError):  # on a full disk the run's own error is to be seen
            self.update_info(status=status, ended=now())

    def _point_latest(self) -> None:
        latest = self.path.parent / "latest"
        temporary = self.path.parent / f".latest.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(self.path.name)
            temporary.replace(latest)
        except OSError as error:
            # Some network and Windows filesystems have no links; the run itself is whole.
            print(f"{latest} could not be set ({error}); the run lies in {self.path}")


def find_run(value: str, logs: Path, experiment: str) -> RunFolder:
    """The run that ``resume=`` names: a folder, or `latest`, the newest unfinished one.

    Raises:
        ConfigError: there is no such folder, or the run has finished.
    """
    if value == "latest":
        runs = [r for r in _runs_of(logs / experiment) if r.read_info().get("status") != FINISHED]
        if not runs:
            raise ConfigError(
                f"resume=latest: {logs / experiment} holds no unfinished run, so there is nothing "
                f"to go on with. Start a new one with `python run.py experiment={experiment}`."
            )
        return max(runs, key=_age)
    folder = RunFolder(Path(value))
    info = folder.read_info()
    if not info:
        raise ConfigError(
            f"resume={value}: no run folder (a folder with run.json) lies there. Give a folder "
            f"such as {logs / experiment}/2026-01-31_12-00-00, or latest."
        )
    if info.get("status") == FINISHED:
        raise ConfigError(
            f"resume={value}: this run has finished; its results are in {folder.results}. "
            "Start a new run instead, or resume another folder."
        )
    return folder


def latest_finished(logs: Path, task: str, data: str) -> RunFolder | None:
    """The newest finished run of a task on a dataset, whatever its experiment is called."""
    return max(finished_runs(logs, task, data), key=_age, default=None)


def finished_runs(logs: Path, task: str, data: str) -> list[RunFolder]:
    """All finished runs of a task on a dataset."""
    if not logs.is_dir():
        return []
    return [
        run
        for experiment in logs.iterdir()
        if experiment.is_dir()
        for run in _runs_of(experiment)
        if (info := run.read_info()).get("status") == FINISHED
        and info.get("task") == task
        and info.get("data") == data
    ]


def runs_of_jobs(logs: Path, experiment: str) -> dict[str, list[RunFolder]]:
    """The runs of an experiment that belong to jobs of sweeps, by job, the oldest first."""
    found: dict[str, list[RunFolder]] = {}
    for run in sorted(_runs_of(logs / experiment), key=_age):
        job = run.read_info().get("job")
        if job:
            found.setdefault(job, []).append(run)
    return found


def runs_of_launch(logs: Path, experiment: str, launch: str) -> list[RunFolder]:
    """The runs of an experiment that a job of SLURM or a torchrun began, the oldest first."""
    runs = [r for r in _runs_of(logs / experiment) if r.read_info().get("launch") == launch]
    return sorted(runs, key=_age)


def git_revision() -> str | None:
    """The commit of the code, with ``-dirty`` when it was changed; None outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _runs_of(experiment: Path) -> list[RunFolder]:
    if not experiment.is_dir():
        return []
    return [
        RunFolder(path)
        for path in experiment.iterdir()
        if path.is_dir() and not path.is_symlink() and (path / "run.json").is_file()
    ]


def _age(run: RunFolder) -> tuple[str, str]:
    return str(run.read_info().get("started", "")), run.path.name


def now() -> str:
    """The moment as ``run.json`` keeps it."""
    return datetime.now().astimezone().isoformat(timespec="microseconds")


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in ["terrashot", "torch", "torchvision", "lightning", "timm"]:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
