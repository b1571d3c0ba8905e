"""What the finished jobs of a sweep say, gathered for its table and its report."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from terrashot.app.run.folder import RunFolder
from terrashot.app.sweep.grid import REPEATS
from terrashot.app.sweep.plan import Sweep, SweepJob
from terrashot.app.tasks.registry import find_task
from terrashot.reporting.ablation import AblationRow, Outcome, ablation_rows, mean_rows


@dataclass(frozen=True)
class SweepOutcomes:
    """The numbers of a sweep.

    Args:
        keys: the keys of the grid that are compared.
        main: the score of the differences.
        runs: the newest finished run of each job, by identity.
        outcomes: their numbers, by identity, in the order of the jobs.
        rows: the table, the reference first, means over folds last; empty where no job has
            finished.
        context: positions in ``keys`` that nothing is compared across.
    """

    keys: list[str]
    main: str
    runs: dict[str, RunFolder]
    outcomes: dict[str, Outcome]
    rows: list[AblationRow]
    context: list[int]


def sweep_outcomes(sweep: Sweep) -> SweepOutcomes:
    """Read the results of all finished jobs."""
    runs = sweep.finished_runs()
    keys = compared_keys(sweep.jobs)
    main = _main_score(sweep)
    outcomes = {
        job.identity: _outcome(job, keys, runs[job.identity])
        for job in sweep.jobs
        if job.identity in runs
    }
    options = list(dict.fromkeys(_options(job, keys) for job in sweep.jobs))
    # On other tiles every score is another one: each split has a reference of its own.
    tiles = [i for i, key in enumerate(keys) if key.partition(".")[0] == "data"]
    rows = ablation_rows(list(outcomes.values()), options, main, tiles) if outcomes else []
    averaged = find_task(sweep.jobs[0].settings.task).averaged
    rows += mean_rows(rows, [i for i, key in enumerate(keys) if key in averaged])
    return SweepOutcomes(keys, main, runs, outcomes, rows, tiles)


def compared_keys(jobs: Sequence[SweepJob]) -> list[str]:
    """The keys of the grid that are compared: those that vary, the repeats left out."""
    keys = [key for key in jobs[0].chosen if key not in REPEATS]
    return [key for key in keys if len({job.chosen[key] for job in jobs}) > 1] or keys[:1]


def describe_repeats(jobs: Sequence[SweepJob]) -> str:
    """How many draws and seeds, in words."""
    counts = {
        "draws": len({getattr(job.settings.data, "support_draw", None) for job in jobs}),
        "seeds": len({job.settings.seed for job in jobs}),
    }
    return " x ".join(f"{n} {name if n > 1 else name[:-1]}" for name, n in counts.items())


def _options(job: SweepJob, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(job.chosen[key] for key in keys)


def _outcome(job: SweepJob, keys: Sequence[str], run: RunFolder) -> Outcome:
    results = json.loads(run.results.read_text(encoding="utf-8"))
    scores = find_task(job.settings.task).sweep_scores(job.settings, results)
    return Outcome(
        options=_options(job, keys),
        repeat=tuple(job.chosen.get(key, "") for key in REPEATS),
        scores={name: _number(value) for name, value in scores.items()},
        seconds=_number(results.get("seconds_per_query")),
        external_masks=bool(results.get("external_masks")),
        seen_queries=bool(results.get("support_in_queries")),
    )


def _main_score(sweep: Sweep) -> str:
    first = sweep.jobs[0].settings
    return find_task(first.task).sweep_score(first)


def _number(value: Any) -> float:  # noqa: ANN401 - a JSON number or null
    return math.nan if value is None else float(value)
