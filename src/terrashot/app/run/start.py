"""Starting a run: its folder, its processes, its end."""

import contextlib
import json
import logging
import math
import os
import shlex
import signal
import socket
import subprocess
import sys
import warnings
from pathlib import Path

from rich.console import Console

from terrashot.app.config.checks import check_settings
from terrashot.app.config.typed import load_settings, save_settings, to_yaml
from terrashot.app.run.choose import choose_folder
from terrashot.app.run.folder import FAILED, FINISHED, RunFolder, find_run
from terrashot.app.run.launch import Launch
from terrashot.app.run.meeting import Meeting
from terrashot.app.run.signals import AGAIN, heed_signals
from terrashot.app.tasks.registry import find_task
from terrashot.data.remote.address import without_secrets
from terrashot.errors import ConfigError, FullDiskError, StoppedError, TerrashotError, one_line
from terrashot.full_disk import full_disk, is_full
from terrashot.tasks.settings.runs import RunSettings

# What may differ between a run and its continuation: the machine, not the experiment.
_RESUMABLE = ("trainer.devices", "trainer.accelerator", "data.num_workers", "data.cache")
_LOCK_SECONDS = 180.0
_FREE = ("experiment", "resume", "paths.logs", "print_config")


def start_run(settings: RunSettings, arguments: list[str], console: Console) -> float | None:
    """Check the settings, make or find the run folder, run, return the optimised metric.

    Args:
        settings: of the run.
        arguments: the command line, without the program.
        console: where ``print_config`` goes.
    """
    launch = Launch.of_process()
    if settings.resume is not None:
        folder = find_run(settings.resume, Path(settings.paths.logs), settings.name)
        settings = load_settings(folder.config, _resumable(arguments))
        check_settings(settings)
        launch.check(settings.trainer)
    else:
        launch.check(settings.trainer)
        # Held until the end: Lightning uses it as well.
        meeting = Meeting(launch) if launch.starter and launch.processes > 1 else None
        check_settings(settings)
        if settings.print_config and launch.rank == 0:
            console.print(to_yaml(settings), highlight=False, markup=False, soft_wrap=True)
        folder, finished = _agree(settings, launch, meeting)
        if finished:
            _say_finished(folder, launch, console)
            return optimized_metric(settings, folder)
    command = without_secrets(shlex.join(["terrashot", *arguments]))
    return run_prepared(settings, folder, command)


def _agree(
    settings: RunSettings, launch: Launch, meeting: Meeting | None
) -> tuple[RunFolder, bool]:
    """The folder of the run, the same for all its processes, and whether it has finished."""
    if launch.rank > 0 and meeting is not None:
        path, finished = meeting.hear()
        return RunFolder(path), finished
    folder = choose_folder(settings, launch)
    restarted = settings.paths.run_folder is None and launch.restarts > 0
    finished = restarted and folder.read_info().get("status") == FINISHED
    if not finished:
        save_settings(settings, folder.config)
    if meeting is not None:
        meeting.tell(folder.path, finished)
    return folder, finished


def _say_finished(folder: RunFolder, launch: Launch, console: Console) -> None:
    if launch.rank == 0:
        console.print(
            f"{launch.name} was started again, and its run in {folder.path} has finished already",
            highlight=False,
            soft_wrap=True,
        )


def run_prepared(
    settings: RunSettings,
    folder: RunFolder,
    command: str,
    sweep: str | None = None,
    job: str | None = None,
) -> float | None:
    """Run in a folder that holds its ``config.yaml``; go on with what is there.

    Args:
        settings: the run, checked.
        folder: its folder.
        command: what the user typed; ``run.json`` keeps it.
        sweep: name of the sweep that the run belongs to.
        job: identity of the job in the sweep, by which the sweep finds the run again.

    Raises:
        ConfigError: another process is at work in the folder.
    """
    launch = Launch.of_process()
    with contextlib.ExitStack() as stack:
        if folder.is_of_first_process:
            # Where a node has died, its file server lets go of the lock after a while.
            patience = _LOCK_SECONDS if launch.restarts else 0.0
            if not stack.enter_context(folder.locked(patience)):
                raise folder.at_work()
            data = getattr(settings, "data", None)
            folder.start(settings.task, data.name if data else "", command, sweep, job)
        if settings.processes > 1 and launch.starter is None:
            _run_processes(settings, folder)
        else:
            run_in_folder(settings, folder.path)
    return optimized_metric(settings, folder)


def _run_processes(settings: RunSettings, folder: RunFolder) -> None:
    # In a process of its own, whose helpers repeat one fixed command: every rank reads the
    # same config.yaml. Inside a multirun job, ranks would see the sweep's command line instead
    # and each run other hyper-parameters, silently.
    command = [sys.executable, "-m", "terrashot", "--run-folder"]
    if AGAIN is not None:
        signal.signal(AGAIN, signal.SIG_IGN)  # the first of them heeds it
    done = subprocess.run([*command, str(folder.path.resolve())], check=False)
    if done.returncode != 0:
        raise TerrashotError(
            f"The run in {folder.path} ended with exit code {done.returncode}; the message "
            f"above says why. Go on with `python run.py experiment={settings.name} "
            f"resume={folder.path}`."
        )


def run_in_folder(settings: RunSettings, path: Path) -> None:
    """Run in a prepared folder and say in ``run.json`` how it ended."""
    folder, launch = RunFolder(path), Launch.of_process()
    try:
        with heed_signals(folder, launch):
            _run(settings, folder, launch)
    except SystemExit as error:
        # Ctrl-C and SIGTERM become an exit, by Lightning even one whose code is that of success.
        folder.finish(FAILED)
        raise StoppedError(
            f"The run in {folder.path} was stopped before its end. Go on with `python run.py "
            f"experiment={settings.name} resume={folder.path}`.{_again(launch)}"
        ) from error
    except BaseException as error:
        folder.finish(FAILED)
        full = _full_disk(error, settings, path)
        if full is not None:
            raise full from error
        if settings.processes > 1 and _lost_another(error):
            raise TerrashotError(
                f"The run in {path} has lost another of its {settings.processes} processes: its "
                "own message says why, or its node has died. Go on with `python run.py "
                f"experiment={settings.name} resume={path}`.{_again(launch)} ({one_line(error)})"
            ) from error
        raise
    folder.finish(FINISHED)


def _full_disk(error: BaseException, settings: RunSettings, path: Path) -> FullDiskError | None:
    """What is said where a disk takes no more; None: it is another error."""
    if not isinstance(error, OSError) or not is_full(error):
        return None
    told = error if isinstance(error, FullDiskError) else full_disk(error, path)
    return FullDiskError(
        error.errno or 0,
        f"{told} Then go on with `python run.py experiment={settings.name} resume={path}`.",
    )


def _again(launch: Launch) -> str:
    return " A job that SLURM starts again goes on by itself." if launch.job else ""


def _lost_another(error: BaseException) -> bool:
    """Whether a process misses another one; gloo has no error class of its own."""
    import torch.distributed

    return isinstance(error, torch.distributed.DistError) or (
        isinstance(error, RuntimeError) and "gloo/transport" in str(error)
    )


def _run(settings: RunSettings, folder: RunFolder, launch: Launch) -> None:
    """Seeds, the task, wandb's end however it goes."""
    import torch
    from lightning import seed_everything

    from terrashot.app.run.run import FolderRun
    from terrashot.callbacks.wandb_run import finish_wandb
    from terrashot.threads import default_threads

    _quiet_libraries(launch)
    torch.set_num_threads(default_threads(torch.get_num_threads()))
    if folder.is_of_first_process:
        # Times of parallel jobs mean little without these.
        threads, host = torch.get_num_threads(), socket.gethostname()
        folder.update_info(host=host, pid=os.getpid(), launch=launch.name, threads=threads)
    seed_everything(settings.seed, workers=True, verbose=False)
    failed = True
    try:
        find_task(settings.task).run(settings, FolderRun(settings, folder))
        failed = False
    finally:
        finish_wandb(exit_code=int(failed))


def _quiet_libraries(launch: Launch) -> None:
    """Leave out what Lightning says on every start and nobody can act on."""
    for name in ["lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"]:
        logging.getLogger(name).setLevel(logging.WARNING)
    # On every machine that has SLURM, whoever starts a run: a hint for a job alone.
    hints = [] if launch.job else [r"The `srun` command is available .* but is not used"]
    for message in [
        *hints,
        "Experiment logs directory",
        ".*LeafSpec.*",
        ".*in eval mode at the start of training.*",  # a frozen SimNet, on purpose
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        "Dataset has no geotransform.*",  # a mapping run says so itself
        ".*IterableDataset. has .__len__. defined.*",
        ".*number of training batches.*smaller than the logging interval.*",
    ]:
        warnings.filterwarnings("ignore", message=message)


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


def optimized_metric(settings: RunSettings, folder: RunFolder) -> float | None:
    """The value of ``optimized_metric`` in the results; None where none is asked for."""
    if settings.optimized_metric is None or not folder.results.is_file():
        return None
    metrics = json.loads(folder.results.read_text(encoding="utf-8"))["metrics"]
    value = metrics.get(settings.optimized_metric)
    return math.nan if value is None else float(value)
