"""Starting a run: its folder, its processes, its end."""

import contextlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from terrashot.app.checks import check_settings
from terrashot.app.compose import load_settings, save_settings, to_yaml
from terrashot.app.run_folder import FAILED, FINISHED, RunFolder, find_run
from terrashot.app.settings import Settings
from terrashot.errors import ConfigError, StoppedError, TerrashotError

# What may differ between a run and its continuation: the machine, not the experiment.
_RESUMABLE = ("trainer.devices", "trainer.accelerator", "data.num_workers", "data.cache")
_FREE = ("experiment", "resume", "paths.logs", "print_config")


def start_run(
    settings: Settings, overrides: list[str], sweep: str | None, console: Console
) -> float | None:
    """Check the settings, make or find the run folder, run, return the optimised metric."""
    if settings.resume is not None:
        folder = find_run(settings.resume, Path(settings.paths.logs), settings.name)
        settings = load_settings(folder.config, _resumable(overrides))
        check_settings(settings)
    else:
        check_settings(settings)
        if _started_outside() and settings.paths.run_folder is None:
            raise ConfigError(
                "The processes of this run were started from outside (torchrun or SLURM), and they "
                "must agree on one run folder. Name it: paths.run_folder=logs/"
                f"{settings.name}/NAME."
            )
        if settings.print_config:
            console.print(to_yaml(settings), highlight=False, markup=False, soft_wrap=True)
        folder = RunFolder.create(
            Path(settings.paths.logs), settings.name, settings.paths.run_folder
        )
        if not _is_later_process():
            save_settings(settings, folder.config)
    return run_prepared(settings, folder, sweep)


def run_prepared(
    settings: Settings, folder: RunFolder, sweep: str | None, job: str | None = None
) -> float | None:
    """Run in a folder that holds its ``config.yaml``; go on with what is there.

    Args:
        settings: the run, checked.
        folder: its folder.
        sweep: name of the sweep that the run belongs to.
        job: identity of the job in the sweep, by which the sweep finds the run again.

    Raises:
        ConfigError: another process is at work in the folder.
    """
    with contextlib.ExitStack() as stack:
        if not _is_later_process():
            if not stack.enter_context(folder.locked()):
                raise ConfigError(
                    f"{folder.path} is the folder of a run that is still at work. Wait for its "
                    "end or stop it first; a new run takes a folder of its own."
                )
            folder.start(settings.task, settings.data.name, sweep, job)
        if settings.processes > 1 and not _started_outside():
            _run_processes(settings, folder)
        else:
            run_in_folder(settings, folder.path)
    return optimized_metric(settings, folder)


def _run_processes(settings: Settings, folder: RunFolder) -> None:
    # In a process of its own, whose helpers repeat one fixed command: every rank reads the
    # same config.yaml. Inside a multirun job, ranks would see the sweep's command line instead
    # and each run other hyper-parameters, silently.
    command = [sys.executable, str(Path(sys.argv[0]).resolve()), "--run-folder"]
    done = subprocess.run([*command, str(folder.path.resolve())], check=False)
    if done.returncode != 0:
        raise TerrashotError(
            f"The run in {folder.path} ended with exit code {done.returncode}; the message "
            f"above says why. Go on with `python run.py experiment={settings.name} "
            f"resume={folder.path}`."
        )


def run_in_folder(settings: Settings, path: Path) -> None:
    """Run in a prepared folder and say in ``run.json`` how it ended."""
    # Late, since it imports torch and Lightning: `python run.py` alone should answer at once.
    from terrashot.app.jobs import run_job

    folder = RunFolder(path)
    try:
        run_job(settings, folder)
    except SystemExit as error:
        # Lightning turns Ctrl-C and SIGTERM into an exit whose code can be that of success.
        if not _is_later_process():
            folder.finish(FAILED)
        raise StoppedError(
            f"The run in {folder.path} was stopped before its end. Go on with `python run.py "
            f"experiment={settings.name} resume={folder.path}`."
        ) from error
    except BaseException:
        if not _is_later_process():
            folder.finish(FAILED)
        raise
    if not _is_later_process():
        folder.finish(FINISHED)


def _resumable(overrides: list[str]) -> list[str]:
    kept = []
    for override in overrides:
        key = override.partition("=")[0]
        if key in _RESUMABLE:
            kept.append(override)
        elif key not in _FREE:
            raise ConfigError(
                f"{override}: a resumed run keeps its settings, so that its numbers stay those of "
                f"one experiment. Only {', '.join(_RESUMABLE)} may change. Leave {key} out, or "
                "start a new run."
            )
    return kept


def optimized_metric(settings: Settings, folder: RunFolder) -> float | None:
    """The value of ``optimized_metric`` in the results; None where none is asked for."""
    if settings.optimized_metric is None or not folder.results.is_file():
        return None
    metrics = json.loads(folder.results.read_text(encoding="utf-8"))["metrics"]
    value = metrics.get(settings.optimized_metric)
    return math.nan if value is None else float(value)


def _started_outside() -> bool:
    """Whether torchrun or SLURM started this process beside others."""
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1
    slurm = "SLURM_JOB_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", 1)) > 1
    interactive = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return torchrun or (slurm and not interactive)


def _is_later_process() -> bool:
    """Whether this is another process than the first of the run."""
    ranks = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return any(os.environ.get(name, "0") != "0" for name in ranks)
