"""The end of a sweep: its table in the terminal, in its folder and in wandb."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.markup import escape

from terrashot.app.sweep_outcomes import describe_repeats, sweep_outcomes
from terrashot.app.sweep_plan import Sweep
from terrashot.app.sweep_report import failure_of, try_sweep_report
from terrashot.callbacks.media import log_table
from terrashot.callbacks.wandb_run import Mode, finish_wandb, make_wandb_logger
from terrashot.files import atomic_write
from terrashot.reporting.ablation import AblationRow
from terrashot.reporting.ablation_table import (
    ablation_csv,
    ablation_latex,
    ablation_markdown,
    ablation_table,
    ablation_values,
)
from terrashot.reporting.run_summary import short_path


def show_results(sweep: Sweep, console: Console) -> int:
    """Print and keep the table of all finished jobs, and name the failed ones.

    Writes ``ablation.csv``, ``ablation.md``, ``ablation.tex`` and ``report.html`` into the
    sweep's folder.

    Returns:
        The exit code: 1 where a job has no result.
    """
    found = sweep_outcomes(sweep)
    failed = [job for job in sweep.jobs if job.identity not in found.runs]
    rows, keys, main = found.rows, found.keys, found.main
    if rows:
        title = f"{sweep.name}, {describe_repeats(sweep.jobs)}"
        # A file has no width, and rich would take it for a narrow terminal.
        width = None if console.is_terminal else max(120, console.width)
        console.print(ablation_table(rows, keys, main, title), width=width, crop=False)
        _write(sweep.folder / "ablation.csv", ablation_csv(rows, keys))
        _write(sweep.folder / "ablation.md", ablation_markdown(rows, keys, main))
        _write(sweep.folder / "ablation.tex", ablation_latex(rows, keys, main))
        _log(sweep, rows, keys)
    told = None
    for job in failed:
        console.print(f"[red]no result:[/] {escape(job.label)}", highlight=False, soft_wrap=True)
        said = failure_of(sweep, job)
        if said and said != told:
            console.print(f"  {said}", markup=False, highlight=False, soft_wrap=True)
        told = said
    total = len(sweep.jobs)
    line = f"{total - len(failed)} of {total} jobs are finished; in {short_path(sweep.folder)}"
    console.print(line, highlight=False, soft_wrap=True)
    report = try_sweep_report(sweep, found, console)
    if report is not None:
        console.print(f"report: {short_path(report)}", highlight=False, soft_wrap=True)
    return int(bool(failed))


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
