"""One job of a sweep, in whatever process a launcher starts it."""

import json
import sys
import traceback
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.app.compose import load_settings, save_settings
from terrashot.app.run_folder import FINISHED, RunFolder, runs_of_jobs
from terrashot.app.settings import Settings
from terrashot.app.sweep_plan import job_file
from terrashot.errors import StoppedError, TerrashotError
from terrashot.files import atomic_write


def run_sweep_job(sweep: Path, identity: str) -> float | None:
    """Run a job of the sweep in ``sweep``, or go on with its interrupted run.

    A mistake inside the job is written to ``jobs/<identity>.error`` and told, not raised: the
    other jobs should still run.

    Returns:
        The metric that ``optimized_metric`` names, if any.
    """
    plan = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    # A launcher's worker has a command line of its own; run.json should name the user's, and a
    # job with several devices starts its processes through run.py.
    sys.argv = [plan["program"], *plan["arguments"]]
    error_file = job_file(sweep, identity).with_suffix(".error")
    error_file.unlink(missing_ok=True)
    settings = load_settings(job_file(sweep, identity))
    try:
        return _run(settings, sweep.name, identity)
    except (StoppedError, KeyboardInterrupt):
        raise
    except Exception as error:
        known = isinstance(error, TerrashotError)
        said = str(error) if known else traceback.format_exc()
        with atomic_write(error_file) as temporary:
            temporary.write_text(said, encoding="utf-8")
        last = said if known else f"{type(error).__name__}: {error} (see {error_file})"
        Console(stderr=True).print(f"[bold red]failed:[/] {escape(last)}", soft_wrap=True)
        return None


def _run(settings: Settings, sweep: str, identity: str) -> float | None:
    # Late, since it imports torch and Lightning.
    from terrashot.app.launch import optimized_metric, run_prepared

    runs = runs_of_jobs(Path(settings.paths.logs), settings.name).get(identity, [])
    if not settings.sweep.fresh:
        for run in reversed(runs):
            if run.read_info().get("status") == FINISHED:
                return optimized_metric(settings, run)  # another sweep was quicker
    folder = None if settings.sweep.fresh else _interrupted(runs)
    if folder is None:
        folder = RunFolder.create(Path(settings.paths.logs), settings.name)
    save_settings(settings, folder.config)
    return run_prepared(settings, folder, sweep, identity)


def _interrupted(runs: list[RunFolder]) -> RunFolder | None:
    """The newest unfinished run that no living process works on."""
    for run in reversed(runs):
        with run.locked() as free:
            if free:
                return run
    return None
