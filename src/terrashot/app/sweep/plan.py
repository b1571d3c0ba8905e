"""A sweep before it runs: its jobs checked and named, its folder, what is finished already."""

import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrashot.app.config.checks import check_settings
from terrashot.app.config.compose import Composed, compose_settings
from terrashot.app.config.signatures import without_signatures
from terrashot.app.config.typed import load_settings, save_settings
from terrashot.app.run.bench import SettingsBench
from terrashot.app.run.folder import FINISHED, RunFolder, runs_of_jobs
from terrashot.app.sweep.grid import GridJob, grid_jobs
from terrashot.app.sweep.identity import job_identity
from terrashot.app.tasks.registry import find_task
from terrashot.data.remote.address import without_secrets
from terrashot.errors import ConfigError, TerrashotError
from terrashot.files import write_json
from terrashot.tasks.settings.runs import LoggedSettings, RunSettings


@dataclass(frozen=True)
class SweepJob:
    """One job: who it is, what it runs, what was chosen for it."""

    identity: str
    settings: LoggedSettings
    chosen: dict[str, str]

    @property
    def label(self) -> str:
        """The choices as they would stand on a command line."""
        return " ".join(f"{key}={value}" for key, value in self.chosen.items()) or "one job"


@dataclass(frozen=True)
class Sweep:
    """All jobs of a multirun and the folder ``logs/sweeps/<experiment>_<hash>``.

    The folder's name follows from the jobs, so the same command finds the same folder.
    """

    folder: Path
    jobs: list[SweepJob]

    @property
    def name(self) -> str:
        """The name of the folder; also the wandb group of the jobs."""
        return self.folder.name

    def write(self, arguments: list[str]) -> None:
        """Keep what a job in another process needs: its settings, and the user's command line."""
        for job in self.jobs:
            save_settings(job.settings, job_file(self.folder, job.identity))
        write_json(
            self.folder / "sweep.json",
            {
                "command": without_secrets(shlex.join(["terrashot", *arguments])),
                "jobs": [
                    {"job": job.identity, **without_signatures(job.chosen)} for job in self.jobs
                ],
            },
        )

    def finished_runs(self) -> dict[str, RunFolder]:
        """The newest finished run of each job, by identity."""
        found = {}
        for logs, name in {(j.settings.paths.logs, j.settings.name) for j in self.jobs}:
            for identity, runs in runs_of_jobs(Path(logs), name).items():
                done = [run for run in runs if run.read_info().get("status") == FINISHED]
                if done:
                    found[identity] = done[-1]
        return {job.identity: found[job.identity] for job in self.jobs if job.identity in found}


def plan_sweep(
    configs: Path, fixed: list[str], varied: dict[str, list[str]], grid: dict[str, Any]
) -> Sweep:
    """Compose, check and name every job, before the first one starts.

    Raises:
        TerrashotError: a job has a mistake in it, or cannot run on this data or machine.
    """
    jobs: dict[str, SweepJob] = {}
    # All composed before the first is checked: a misspelled option is the likelier mistake.
    found = grid_jobs(fixed, varied, grid)
    files: Composed = {}
    everything = [compose_settings(configs, grid_job.overrides, files) for grid_job in found]
    for grid_job, settings in zip(found, everything, strict=True):
        job = _job(settings, grid_job)
        jobs.setdefault(job.identity, job)  # a value listed twice is one job
    first = next(iter(jobs.values())).settings
    names = sorted({job.settings.name for job in jobs.values()})
    digest = hashlib.sha256(" ".join(sorted(jobs)).encode()).hexdigest()[:8]
    folder = Path(first.paths.logs) / "sweeps" / f"{'+'.join(names)}_{digest}"
    return Sweep(folder, list(jobs.values()))


def load_sweep(folder: Path) -> Sweep:
    """The sweep that ``Sweep.write`` has written into ``folder``.

    Raises:
        ConfigError: ``sweep.json`` or the settings of a job are missing or damaged.
    """
    try:
        plan = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        entries = [dict(entry) for entry in plan["jobs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder / 'sweep.json'} is not what a multirun writes ({error!r}). The same "
            "multirun command writes it again and skips the finished jobs."
        ) from error
    jobs = []
    for entry in entries:
        identity = str(entry.pop("job"))
        chosen = {key: str(value) for key, value in entry.items()}
        settings = load_settings(job_file(folder, identity))
        assert isinstance(settings, LoggedSettings)
        jobs.append(SweepJob(identity, settings, chosen))
    return Sweep(folder, jobs)


def job_file(sweep: Path, identity: str) -> Path:
    """Where the settings of a job lie."""
    return sweep / "jobs" / f"{identity}.yaml"


def _job(settings: RunSettings, grid_job: GridJob) -> SweepJob:
    if settings.resume is not None or settings.paths.run_folder is not None:
        key = "resume" if settings.resume is not None else "paths.run_folder"
        raise ConfigError(
            f"{key} names one run, but a multirun has many. Leave it out: a multirun that is "
            "started again skips its finished jobs and goes on with the others by itself."
        )
    task = find_task(settings.task)
    task.sweep_score(settings)  # refuses what has no score to compare
    assert isinstance(settings, LoggedSettings)
    check_settings(settings)
    chosen = dict(grid_job.chosen)
    if task.needs_stage1:
        # Named once for all: `latest` could become another one while the sweep runs.
        checkpoint = SettingsBench(settings).stage1_checkpoint().resolve()
        settings.checkpoint = str(checkpoint)  # type: ignore[attr-defined] # such a task has it
        if "checkpoint" not in chosen:
            return SweepJob(job_identity(settings), settings, chosen)
        run = RunFolder(checkpoint.parent.parent)
        chosen["checkpoint"] = f"{describe_network(run)}: {chosen['checkpoint']}"
    return SweepJob(job_identity(settings), settings, chosen)


def describe_network(run: RunFolder) -> str:
    """Backbone and decoder of a stage-1 run, as far as its folder tells."""
    try:
        config = load_settings(run.config)
    except TerrashotError:
        return "unknown network"
    parts = (getattr(config, name, None) or {} for name in ("backbone", "decoder"))
    return " + ".join(str(part.get("name")) for part in parts)
