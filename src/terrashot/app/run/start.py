"""Starting a run: its folder, its processes, its end."""

import contextlib
import json
import logging
import math
import os
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import yaml
from rich.console import Console

from terrashot.app.config.checks import check_settings
from terrashot.app.config.fields import scored_values
from terrashot.app.config.signatures import without_signatures
from terrashot.app.config.typed import load_settings, save_settings, to_yaml
from terrashot.app.run.folder import FAILED, FINISHED, RunFolder, find_run
from terrashot.app.tasks.registry import find_task
from terrashot.data.remote.address import without_secrets
from terrashot.errors import ConfigError, StoppedError, TerrashotError
from terrashot.tasks.settings.runs import RunSettings

# What may differ between a run and its continuation: the machine, not the experiment.
_RESUMABLE = ("trainer.devices", "trainer.accelerator", "data.num_workers", "data.cache")
_WRITTEN = ("run.json", "results.json", "adapted.ckpt", "checkpoints", "queries", "maps")
_FREE = ("experiment", "resume", "paths.logs", "print_config")


def start_run(settings: RunSettings, arguments: list[str], console: Console) -> float | None:
    """Check the settings, make or find the run folder, run, return the optimised metric.

    Args:
        settings: of the run.
        arguments: the command line, without the program.
        console: where ``print_config`` goes.
    """
    if settings.resume is not None:
        folder = find_run(settings.resume, Path(settings.paths.logs), settings.name)
        settings = load_settings(folder.config, _resumable(arguments))
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
        if settings.paths.run_folder is not None:
            _check_fixed_folder(RunFolder(Path(settings.paths.run_folder)), settings)
        folder = RunFolder.create(
            Path(settings.paths.logs), settings.name, settings.paths.run_folder
        )
        if folder.is_of_first_process:
            save_settings(settings, folder.config)
    command = without_secrets(shlex.join(["terrashot", *arguments]))
    return run_prepared(settings, folder, command)


def _check_fixed_folder(folder: RunFolder, settings: RunSettings) -> None:
    """Hold what is in ``paths.run_folder`` against the run: the same one again, or none of a run.

    Raises:
        ConfigError: its files are those of another run, or of none.
    """
    if not folder.is_of_first_process or not folder.path.is_dir():
        return
    taken = f"paths.run_folder={folder.path} holds"
    remedy = "Name a folder of its own; it is made."
    if not folder.config.is_file():
        there = [name for name in _WRITTEN if (folder.path / name).exists()]
        if there:
            raise ConfigError(
                f"{taken} {there[0]}, but no config.yaml, so it is no run's folder, and this run "
                f"would replace that file or take it for its own. {remedy}"
            )
        return
    try:
        other = scored_values(load_settings(folder.config))
    except (TerrashotError, yaml.YAMLError, AttributeError) as error:
        raise ConfigError(
            f"{taken} a config.yaml that is no run's, which this run would replace. {remedy}"
        ) from error
    other, own = without_signatures(other), without_signatures(scored_values(settings))
    key = next((k for k in {**own, **other} if own.get(k) != other.get(k)), None)
    if key is not None:
        raise ConfigError(
            f"{taken} another run, whose {key} is {other.get(key)} and not {own.get(key)}, and "
            f"whose files this run would replace. {remedy} `resume={folder.path}` goes on with "
            "that run."
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
    with contextlib.ExitStack() as stack:
        if folder.is_of_first_process:
            if not stack.enter_context(folder.locked()):
                raise folder.at_work()
            data = getattr(settings, "data", None)
            folder.start(settings.task, data.name if data else "", command, sweep, job)
        if settings.processes > 1 and not _started_outside():
            _run_processes(settings, folder)
        else:
            run_in_folder(settings, folder.path)
    return optimized_metric(settings, folder)


def _run_processes(settings: RunSettings, folder: RunFolder) -> None:
    # In a process of its own, whose helpers repeat one fixed command: every rank reads the
    # same config.yaml. Inside a multirun job, ranks would see the sweep's command line instead
    # and each run other hyper-parameters, silently.
    command = [sys.executable, "-m", "terrashot", "--run-folder"]
    done = subprocess.run([*command, str(folder.path.resolve())], check=False)
    if done.returncode != 0:
        raise TerrashotError(
            f"The run in {folder.path} ended with exit code {done.returncode}; the message "
            f"above says why. Go on with `python run.py experiment={settings.name} "
            f"resume={folder.path}`."
        )


def run_in_folder(settings: RunSettings, path: Path) -> None:
    """Run in a prepared folder and say in ``run.json`` how it ended."""
    folder = RunFolder(path)
    try:
        _run(settings, folder)
    except SystemExit as error:
        # Lightning turns Ctrl-C and SIGTERM into an exit whose code can be that of success.
        folder.finish(FAILED)
        raise StoppedError(
            f"The run in {folder.path} was stopped before its end. Go on with `python run.py "
            f"experiment={settings.name} resume={folder.path}`."
        ) from error
    except BaseException:
        folder.finish(FAILED)
        raise
    folder.finish(FINISHED)


def _run(settings: RunSettings, folder: RunFolder) -> None:
    """Seeds, the task, wandb's end however it goes."""
    import torch
    from lightning import seed_everything

    from terrashot.app.run.run import FolderRun
    from terrashot.callbacks.wandb_run import finish_wandb
    from terrashot.threads import default_threads

    _quiet_libraries()
    torch.set_num_threads(default_threads(torch.get_num_threads()))
    if folder.is_of_first_process:
        # Times of parallel jobs mean little without these.
        folder.update_info(pid=os.getpid(), threads=torch.get_num_threads())
    seed_everything(settings.seed, workers=True, verbose=False)
    failed = True
    try:
        find_task(settings.task).run(settings, FolderRun(settings, folder))
        failed = False
    finally:
        finish_wandb(exit_code=int(failed))


def _quiet_libraries() -> None:
    """Leave out what Lightning says on every start and nobody can act on."""
    for name in ["lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"]:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in [
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


def _started_outside() -> bool:
    """Whether torchrun or SLURM started this process beside others."""
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1
    slurm = "SLURM_JOB_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", 1)) > 1
    interactive = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return torchrun or (slurm and not interactive)
