"""The end of a sweep: its table in the terminal, in its folder and in wandb."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.markup import escape

from terrashot.app.kinds.registry import task_kind
from terrashot.app.run_folder import RunFolder
from terrashot.app.sweep_grid import REPEATS
from terrashot.app.sweep_plan import Sweep, SweepJob, job_file
from terrashot.callbacks.media import log_table
from terrashot.callbacks.wandb_run import Mode, finish_wandb, make_wandb_logger
from terrashot.files import atomic_write
from terrashot.reporting.ablation import AblationRow, Outcome, ablation_rows
from terrashot.reporting.ablation_table import (
    ablation_csv,
    ablation_markdown,
    ablation_table,
    ablation_values,
)
from terrashot.reporting.run_summary import short_path


def show_results(sweep: Sweep, console: Console) -> int:
    """Print and keep the table of all finished jobs, and name the failed ones.

    Writes ``ablation.csv`` and ``ablation.md`` into the sweep's folder.

    Returns:
        The exit code: 1 where a job has no result.
    """
    finished = sweep.finished_runs()
    failed = [job for job in sweep.jobs if job.identity not in finished]
    keys = compared_keys(sweep.jobs)
    if finished:
        main = _main_score(sweep)
        outcomes = [
            _outcome(job, keys, finished[job.identity])
            for job in sweep.jobs
            if job.identity in finished
        ]
        options = list(dict.fromkeys(_options(job, keys) for job in sweep.jobs))
        # On other tiles every score is another one: each split has a reference of its own.
        tiles = [i for i, key in enumerate(keys) if key.partition(".")[0] == "data"]
        rows = ablation_rows(outcomes, options, main, tiles)
        title = f"{sweep.name}, {_repeats(sweep.jobs)}"
        # A file has no width, and rich would take it for a narrow terminal.
        width = None if console.is_terminal else max(120, console.width)
        console.print(ablation_table(rows, keys, main, title), width=width, crop=False)
        _write(sweep.folder / "ablation.csv", ablation_csv(rows, keys))
        _write(sweep.folder / "ablation.md", ablation_markdown(rows, keys, main))
        _log(sweep, rows, keys)
    told = ""
    for job in failed:
        console.print(f"[red]no result:[/] {escape(job.label)}", highlight=False, soft_wrap=True)
        file = job_file(sweep.folder, job.identity).with_suffix(".error")
        if file.is_file():
            said = file.read_text(encoding="utf-8").strip().splitlines()[-1]
            if said != told:
                console.print(f"  {said}", markup=False, highlight=False, soft_wrap=True)
            told = said
    total = len(sweep.jobs)
    line = f"{total - len(failed)} of {total} jobs are finished; in {short_path(sweep.folder)}"
    console.print(line, highlight=False, soft_wrap=True)
    return int(bool(failed))


def compared_keys(jobs: Sequence[SweepJob]) -> list[str]:
    """The keys of the grid that are compared: those that vary, the repeats left out."""
    keys = [key for key in jobs[0].chosen if key not in REPEATS]
    return [key for key in keys if len({job.chosen[key] for job in jobs}) > 1] or keys[:1]


def _options(job: SweepJob, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(job.chosen[key] for key in keys)


def _outcome(job: SweepJob, keys: Sequence[str], run: RunFolder) -> Outcome:
    results = json.loads(run.results.read_text(encoding="utf-8"))
    scores = task_kind(job.settings).sweep_scores(job.settings, results)
    return Outcome(
        options=_options(job, keys),
        repeat=tuple(job.chosen.get(key, "") for key in REPEATS),
        scores={name: _number(value) for name, value in scores.items()},
        seconds=_number(results.get("seconds_per_query")),
    )


def _main_score(sweep: Sweep) -> str:
    first = sweep.jobs[0].settings
    return task_kind(first).sweep_score(first)


def _repeats(jobs: Sequence[SweepJob]) -> str:
    counts = {
        "draws": len({job.settings.data.support_draw for job in jobs}),
        "seeds": len({job.settings.seed for job in jobs}),
    }
    return " x ".join(f"{n} {name if n > 1 else name[:-1]}" for name, n in counts.items())


def _log(sweep: Sweep, rows: Sequence[AblationRow], keys: Sequence[str]) -> None:
    """One more wandb run in the group of the jobs; it holds the table."""
    settings = sweep.jobs[0].settings.logger
    if not settings.wandb:
        return
    columns, values = ablation_values(rows, keys)
    logger = make_wandb_logger(
        project=settings.project,
        group=sweep.name,
        name=f"{sweep.name}/table",
        # Anew each time: a table of a sweep that has gone on is another table.
        run_id=hashlib.sha256(os.urandom(8)).hexdigest()[:8],
        folder=sweep.folder,
        tags=["sweep"],
        config={"jobs": len(sweep.jobs)},
        mode=cast(Mode, settings.mode),
    )
    log_table([logger], "ablation", columns, values, step=0)
    finish_wandb()


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _number(value: Any) -> float:  # noqa: ANN401 - a JSON number or null
    return math.nan if value is None else float(value)
