"""A multirun: every job checked, the missing ones run, one table at the end."""

import contextlib
import importlib.util
import json
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape

from terrashot.app.config.compose import compose_raw, in_full
from terrashot.app.config.paths import literal
from terrashot.app.config.typed import load_settings, save_settings
from terrashot.app.run.bench import STAGE1
from terrashot.app.run.folder import FINISHED, RunFolder, finished_runs, git_revision, runs_of_jobs
from terrashot.app.run.launch import Launch
from terrashot.app.run.start import optimized_metric, run_prepared
from terrashot.app.sweep.grid import split_overrides
from terrashot.app.sweep.plan import Sweep, SweepJob, describe_network, job_file, plan_sweep
from terrashot.errors import ConfigError, StoppedError, TerrashotError
from terrashot.files import atomic_write
from terrashot.tasks.settings.runs import RunSettings
from terrashot.threads import available_cores

_PLUGINS = {"joblib": "hydra_joblib_launcher", "submitit": "hydra_submitit_launcher"}


def run_sweep(configs: Path, arguments: list[str], console: Console) -> int:
    """Run the jobs that are missing, and show the table of all.

    Args:
        configs: the folder of configs.
        arguments: the command line, without the program.
        console: where to.

    Returns:
        The exit code: 1 where a job failed.
    """
    overrides = [a for a in arguments if not a.startswith("-")]
    _check_sweeper(overrides)
    _check_plugins(overrides)
    fixed, varied = split_overrides(overrides)
    shared = [o for o in fixed if not o.startswith("hydra")]
    base = compose_raw(configs, fixed)
    grid = cast(dict[str, Any], OmegaConf.to_container(base.sweep.grid))
    named = "checkpoint" in varied or any(o.startswith("checkpoint=") for o in fixed)
    if "checkpoint" in grid and not named:
        raise ConfigError(_which_checkpoints(base))
    sweep = plan_sweep(configs, shared, varied, grid)
    finished = {} if sweep.jobs[0].settings.sweep.fresh else sweep.finished_runs()
    missing = [job for job in sweep.jobs if job.identity not in finished]
    _say(sweep, finished, console)
    sweep.write(arguments)
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
            if "generic resource" in said:  # as sbatch has it
                said += ". A cluster without GPUs: launcher=slurm_cpu."
            console.print(f"[bold red]The launcher failed:[/] {escape(said)}", soft_wrap=True)
    from terrashot.app.sweep.report import show_results

    return show_results(sweep, console)


def _run_here(sweep: Sweep, missing: list[SweepJob], console: Console) -> None:
    for number, job in enumerate(missing, 1):
        console.rule(f"job {number} of {len(missing)}: {escape(job.label)}", align="left")
        run_sweep_job(sweep.folder, job.identity)


def _hand_over(configs: Path, fixed: list[str], sweep: Sweep, missing: list[SweepJob]) -> None:
    """Let a launcher of Hydra start the missing jobs; each finds its settings in the folder."""
    names = ",".join(job.identity for job in missing)
    folder = f"hydra.sweep.dir={literal(str(sweep.folder.resolve()))}"
    # Hydra's own entry point would read the command line anew; this is the call behind it.
    search = create_config_search_path(str(configs.resolve()))
    hydra = Hydra.create_main_hydra2(task_name="terrashot", config_search_path=search)
    try:
        hydra.multirun(
            config_name="run",
            task_function=_launched,
            overrides=[*in_full(configs, fixed), folder, f"sweep.job={names}"],
        )
    finally:
        GlobalHydra.instance().clear()


def _launched(config: DictConfig) -> float | None:
    """What a launcher calls in each of its processes."""
    import torch

    hydra_config = HydraConfig.get()
    threads = threads_of_job(dict(hydra_config.launcher), available_cores())
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    try:
        return run_sweep_job(Path(hydra_config.sweep.dir), str(config.sweep.job))
    except StoppedError as error:
        if Launch.of_process().job is not None and isinstance(error.__cause__, SystemExit):
            # submitit has put the job back in line; an error would be taken for its result.
            raise error.__cause__ from None
        raise


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
    runs = finished_runs(Path(base.paths.logs), STAGE1, base.data.name)
    there = ", ".join(f"{run.path} ({describe_network(run)})" for run in runs)
    return (
        f"experiment={base.name} compares stage-1 networks: name their runs with "
        "checkpoint=RUN1,RUN2. Finished ones on "
        f"data={base.data.name}: {there or 'none'}. Train more with `python run.py -m "
        f"experiment=stage1 data={base.data.name} backbone=mobilenetv2,resnet50`."
    )


def _check_sweeper(arguments: list[str]) -> None:
    """Refuse another sweeper of Hydra: nothing would ask it."""
    for argument in arguments:
        if re.match(r"[+~]*hydra[./]sweeper\b", argument):
            raise ConfigError(
                f"{argument}: a multirun goes through its combinations itself, no sweeper of Hydra "
                "has a say. `terrashot search` looks for the best settings with Optuna."
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


def run_sweep_job(sweep: Path, identity: str) -> float | None:
    """Run a job of the sweep in ``sweep``, or go on with its interrupted run.

    A mistake inside the job is written to ``jobs/<identity>.error`` and told, not raised: the
    other jobs should still run.

    Returns:
        The metric that ``optimized_metric`` names, if any.
    """
    plan = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    error_file = job_file(sweep, identity).with_suffix(".error")
    error_file.unlink(missing_ok=True)
    settings = load_settings(job_file(sweep, identity))
    try:
        # A launcher's worker has a command line of its own; run.json should name the user's.
        return _run(settings, plan["command"], sweep.name, identity)
    except (StoppedError, KeyboardInterrupt):
        raise
    except Exception as error:
        known = isinstance(error, TerrashotError)
        said = str(error) if known else traceback.format_exc()
        with contextlib.suppress(OSError), atomic_write(error_file) as temporary:
            temporary.write_text(said, encoding="utf-8")  # where the disk is not full
        last = said if known else f"{type(error).__name__}: {error} (see {error_file})"
        Console(stderr=True).print(f"[bold red]failed:[/] {escape(last)}", soft_wrap=True)
        return None


def _run(settings: RunSettings, command: str, sweep: str, identity: str) -> float | None:
    runs = runs_of_jobs(Path(settings.paths.logs), settings.name).get(identity, [])
    if not settings.sweep.fresh:
        for run in reversed(runs):
            if run.read_info().get("status") == FINISHED:
                return optimized_metric(settings, run)  # another sweep was quicker
    folder = None if settings.sweep.fresh else _interrupted(runs)
    if folder is None:
        folder = RunFolder.create(Path(settings.paths.logs), settings.name)
    Launch.of_process().check(settings.trainer)
    save_settings(settings, folder.config)
    return run_prepared(settings, folder, command, sweep, identity)


def _interrupted(runs: list[RunFolder]) -> RunFolder | None:
    """The newest unfinished run that no living process works on."""
    for run in reversed(runs):
        with run.locked() as free:
            if free:
                return run
    return None
