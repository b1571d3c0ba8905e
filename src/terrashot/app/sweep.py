"""A multirun: every job checked, the missing ones run, one table at the end."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape

from terrashot.app.compose import compose_raw
from terrashot.app.kinds.base_segmentation import BaseSegmentationKind
from terrashot.app.run_folder import RunFolder, finished_runs, git_revision
from terrashot.app.sweep_grid import split_overrides
from terrashot.app.sweep_job import run_sweep_job
from terrashot.app.sweep_plan import Sweep, SweepJob, describe_network, plan_sweep
from terrashot.errors import ConfigError, StoppedError

_PLUGINS = {"joblib": "hydra_joblib_launcher", "submitit": "hydra_submitit_launcher"}


def run_sweep(configs: Path, arguments: list[str], console: Console) -> int:
    """Run the jobs that are missing, and show the table of all.

    Args:
        configs: the folder of configs.
        arguments: the command line without ``-m``.
        console: where to.

    Returns:
        The exit code: 1 where a job failed.
    """
    _check_plugins(arguments)
    fixed, varied = split_overrides(arguments)
    shared = [o for o in fixed if not o.startswith("hydra")]
    base = compose_raw(configs, fixed)
    grid = cast(dict[str, Any], OmegaConf.to_container(base.sweep.grid))
    if "checkpoint" in grid and not any(o.startswith("checkpoint=") for o in arguments):
        raise ConfigError(_which_checkpoints(base))
    sweep = plan_sweep(configs, shared, varied, grid)
    finished = {} if sweep.jobs[0].settings.sweep.fresh else sweep.finished_runs()
    missing = [job for job in sweep.jobs if job.identity not in finished]
    _say(sweep, finished, console)
    sweep.write()
    if missing:
        try:
            if base.hydra.launcher._target_.endswith(".BasicLauncher"):
                _run_here(sweep, missing, console)
            else:
                _hand_over(configs, fixed, sweep, missing)
        except (KeyboardInterrupt, StoppedError):
            console.print("stopped; the same command goes on with the missing jobs")
            return 130
        except Exception as error:
            # A worker that the system has killed, a queue that refuses: what has finished counts.
            said = f"{type(error).__name__}: {error}"
            console.print(f"[bold red]The launcher failed:[/] {escape(said)}", soft_wrap=True)
    from terrashot.app.sweep_results import show_results

    return show_results(sweep, console)


def _run_here(sweep: Sweep, missing: list[SweepJob], console: Console) -> None:
    for number, job in enumerate(missing, 1):
        console.rule(f"job {number} of {len(missing)}: {escape(job.label)}", align="left")
        run_sweep_job(sweep.folder, job.identity)


def _hand_over(configs: Path, fixed: list[str], sweep: Sweep, missing: list[SweepJob]) -> None:
    """Let a launcher of Hydra start the missing jobs; each finds its settings in the folder."""
    names = ",".join(job.identity for job in missing)
    given = sys.argv
    folder = f"hydra.sweep.dir='{sweep.folder.resolve()}'"
    sys.argv = [sys.argv[0], "-m", *fixed, folder, f"sweep.job={names}"]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # a failing launcher should reach `main`
    try:
        hydra.main(config_path=str(configs.resolve()), config_name="run", version_base="1.3")(
            _launched
        )()
    finally:
        sys.argv = given


def _launched(config: DictConfig) -> float | None:
    """What a launcher calls in each of its processes."""
    import torch

    from terrashot.data.datamodule import available_cores

    hydra_config = HydraConfig.get()
    threads = threads_of_job(dict(hydra_config.launcher), available_cores())
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    return run_sweep_job(Path(hydra_config.sweep.dir), str(config.sweep.job))


def threads_of_job(launcher: Mapping[str, Any], cores: int) -> int:
    """Threads that a job may use, so that jobs at work side by side do not fight for cores."""
    if launcher.get("cpus_per_task"):
        return int(launcher["cpus_per_task"])
    jobs = int(launcher.get("n_jobs") or 1)
    return max(1, cores // (jobs if jobs > 0 else cores))


def _say(sweep: Sweep, finished: dict[str, RunFolder], console: Console) -> None:
    total, done = len(sweep.jobs), len(finished)
    line = f"sweep of {total} job{'s' * (total > 1)} in {sweep.folder}"
    if done:
        line += f"; {done} of {total} jobs were finished already"
    console.print(line, highlight=False, soft_wrap=True)
    revision = git_revision()
    other = [run for run in finished.values() if run.read_info().get("git") != revision]
    if other:
        console.print(
            f"{len(other)} of the finished jobs ran with another version of the code; "
            "sweep.fresh=true runs all of them again",
            style="yellow",
            highlight=False,
        )


def _which_checkpoints(base: DictConfig) -> str:
    """What to type where an experiment compares stage-1 networks."""
    runs = finished_runs(Path(base.paths.logs), BaseSegmentationKind.name, base.data.name)
    there = ", ".join(f"{run.path} ({describe_network(run)})" for run in runs)
    return (
        f"experiment={base.name} compares stage-1 networks: name their runs with "
        "checkpoint=RUN1,RUN2. Finished ones on "
        f"data={base.data.name}: {there or 'none'}. Train more with `python run.py -m "
        f"experiment=stage1 data={base.data.name} backbone=mobilenetv2,resnet50`."
    )


def _check_plugins(arguments: list[str]) -> None:
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key in ("launcher", "hydra/launcher"):
            for word, plugin in {**_PLUGINS, "slurm": "hydra_submitit_launcher"}.items():
                missing = importlib.util.find_spec(f"hydra_plugins.{plugin}") is None
                if word in value and missing:
                    raise ConfigError(
                        f"{argument} needs the package {plugin.replace('_', '-')}: install the "
                        "extra with `pip install terrashot[sweeps]`, or use launcher=local."
                    )
