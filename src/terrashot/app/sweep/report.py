"""The end of a sweep: its table in the terminal, in its folder and in wandb; its page."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.markup import escape

from terrashot.app.run.folder import RunFolder
from terrashot.app.run.report import REPORT, tell_failure
from terrashot.app.sweep.grid import REPEATS
from terrashot.app.sweep.outcomes import SweepOutcomes, describe_repeats, sweep_outcomes
from terrashot.app.sweep.plan import Sweep, SweepJob, job_file
from terrashot.callbacks.media import log_table
from terrashot.callbacks.wandb_run import Mode, finish_wandb, make_wandb_logger
from terrashot.files import atomic_write
from terrashot.reporting.ablation import AblationRow
from terrashot.reporting.ablation_figure import ablation_figure
from terrashot.reporting.ablation_table import (
    ablation_csv,
    ablation_latex,
    ablation_markdown,
    ablation_table,
    ablation_values,
)
from terrashot.reporting.figures import save_for_paper
from terrashot.reporting.html.parts import Fact, Link, Notice
from terrashot.reporting.html.sweep_report import JobLine, SweepMaterial, sweep_page
from terrashot.reporting.run_summary import short_path
from terrashot.tasks.settings.data import DatasetSettings, DataSettings

_FILE_WIDTH = 120


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
        # A file has no width: rich would take it for a narrow terminal and cut columns off, and no
        # width asked for in printing goes beyond that of the console.
        wide = max(_FILE_WIDTH, console.width)
        screen = console if console.is_terminal else Console(file=console.file, width=wide)
        screen.print(ablation_table(rows, keys, main, title), crop=False)
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


def try_sweep_report(sweep: Sweep, found: SweepOutcomes, console: Console) -> Path | None:
    """Write the report at the end of a sweep; what goes wrong is told and stops nothing."""
    try:
        return write_sweep_report(sweep, found)
    except Exception as error:
        tell_failure(sweep.folder, error, console)
        return None


def write_sweep_report(sweep: Sweep, found: SweepOutcomes | None = None) -> Path:
    """Write ``report.html`` into the folder of a sweep, its figure for papers beside."""
    found = found or sweep_outcomes(sweep)
    if found.rows:
        figure = ablation_figure(found.rows, list(found.outcomes.values()), found.keys, found.main)
        save_for_paper(figure, sweep.folder / "figures" / "ablation.png")
    total, done = len(sweep.jobs), len(found.runs)
    data = dict.fromkeys(_data_of(j.settings.data) for j in sweep.jobs)
    material = SweepMaterial(
        name=sweep.name,
        kicker=f"multirun · {', '.join(data)} · {describe_repeats(sweep.jobs)} · "
        f"{done} of {total} jobs finished",
        facts=_facts(sweep, found),
        notices=_notices(sweep, found),
        keys=found.keys,
        main=found.main,
        rows=found.rows,
        outcomes=list(found.outcomes.values()),
        repeats=REPEATS,
        context=found.context,
        jobs=[_job(job, sweep, found) for job in sweep.jobs],
        links=_links(sweep.folder),
    )
    page = sweep_page(material)
    path = sweep.folder / REPORT
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def failure_of(sweep: Sweep, job: SweepJob) -> str | None:
    """The last line of what a failed job said; None where it left nothing."""
    file = job_file(sweep.folder, job.identity).with_suffix(".error")
    if not file.is_file():
        return None
    said = file.read_text(encoding="utf-8").strip().splitlines()
    return said[-1] if said else None


def _facts(sweep: Sweep, found: SweepOutcomes) -> list[Fact]:
    plan = json.loads((sweep.folder / "sweep.json").read_text(encoding="utf-8"))
    facts = [
        Fact("compared", ", ".join(found.keys) or "one option"),
        Fact("main score", found.main),
        Fact("repeats", describe_repeats(sweep.jobs)),
        Fact("jobs", f"{len(found.runs)} of {len(sweep.jobs)} finished"),
    ]
    facts += [Fact("git revision", text, code=True) for text in _revisions(found)]
    if plan.get("command"):
        facts.append(Fact("command", str(plan["command"]), code=True))
    given = (getattr(job.settings, "checkpoint", None) for job in sweep.jobs)
    checkpoints = dict.fromkeys(str(path) for path in given if path)
    facts += [Fact("stage-1 network", path, code=True) for path in checkpoints]
    return facts


def _notices(sweep: Sweep, found: SweepOutcomes) -> list[Notice]:
    notices = [
        Notice(
            "warning",
            f"No result: {job.label}",
            failure_of(sweep, job) or "It was not run, or stopped before its end.",
        )
        for job in sweep.jobs
        if job.identity not in found.runs
    ]
    revisions = _revisions(found)
    if len(revisions) > 1:
        text = (
            "A difference between options may be one of the code; sweep.fresh=true runs all anew."
        )
        notices.append(
            Notice("warning", f"The jobs ran with {len(revisions)} versions of the code", text)
        )
    return notices


def _revisions(found: SweepOutcomes) -> list[str]:
    return list(dict.fromkeys(str(r.read_info().get("git") or "?") for r in found.runs.values()))


def _job(job: SweepJob, sweep: Sweep, found: SweepOutcomes) -> JobLine:
    run = found.runs.get(job.identity)
    if run is None:
        return JobLine(job.label, "no result", {}, float("nan"), None)
    outcome = found.outcomes[job.identity]
    address = _relative(run.path / REPORT, sweep.folder)
    state = "open" if address else "finished"
    return JobLine(job.label, state, outcome.scores, outcome.seconds, address, _marks(run))


def _marks(run: RunFolder) -> list[str]:
    """What sets the numbers of a job apart."""
    results = json.loads(run.results.read_text(encoding="utf-8"))
    marks = ["external masks"] if results.get("external_masks") else []
    marks += ["seen queries"] if results.get("support_in_queries") else []
    diverged = results.get("diverged_queries")
    return marks + ([f"diverged on {diverged} of {results.get('queries')}"] if diverged else [])


def _relative(path: Path, folder: Path) -> str | None:
    """The address of a file as seen from the folder, with forward slashes; None without it."""
    if not path.is_file():
        return None
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _links(folder: Path) -> list[Link]:
    names = ["ablation.csv", "ablation.md", "ablation.tex", "figures", "sweep.json"]
    return [Link(name, name) for name in names if (folder / name).exists()]


def _data_of(data: DatasetSettings) -> str:
    """The dataset of a job, and which of its splits where it has some."""
    return f"{data.name} {data.split}" if isinstance(data, DataSettings) else data.name
