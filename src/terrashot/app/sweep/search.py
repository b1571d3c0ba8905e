"""A search over settings with Optuna, kept in SQLite, so that it goes on after a stop.

Hydra's own Optuna plugin is held at Optuna 2 and SQLAlchemy 1.3, which fails on a SQLite storage of
today; so a study is driven here directly.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from rich.console import Console

from terrashot.app.sweep.grid import REPEATS, parse_several
from terrashot.app.sweep.plan import plan_sweep
from terrashot.app.sweep.sweep import run_sweep_job
from terrashot.errors import ConfigError, TerrashotError

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class SearchSpace:
    """What a search goes through.

    Args:
        fixed: settings of every trial.
        parameters: by key, how a trial chooses the value.
        repeats: listed values of support draws and seeds; the mean over all of them counts.
    """

    fixed: list[str]
    parameters: dict[str, "Callable[[optuna.Trial], str]"]
    repeats: dict[str, list[str]]


def parse_space(arguments: list[str]) -> SearchSpace:
    """Read a command line in Hydra's grammar of sweeps.

    ``key=interval(1e-5,1e-3)``, ``key=tag(log,interval(1e-5,1e-3))``, ``key=range(0,10,2)``,
    ``key=a,b`` or ``key=choice(a,b)``. Lists of ``seed`` and ``data.support_draw`` are no choices:
    each trial runs all of them.

    Raises:
        ConfigError: an argument is no setting, or nothing is to be searched.
    """
    fixed: list[str] = []
    parameters: dict[str, Callable[[optuna.Trial], str]] = {}
    repeats: dict[str, list[str]] = {}
    for override in parse_several(arguments):
        key = str(override.get_key_element())
        if not override.is_sweep_override():
            fixed.append(override.input_line or "")
        elif key in REPEATS:
            if not override.is_discrete_sweep():
                raise ConfigError(
                    f"{override.input_line}: every trial runs all values of {key}, so list them, "
                    f"for example {key}=0,1,2."
                )
            repeats[key] = list(override.sweep_string_iterator())
        else:
            parameters[key] = _chooser(key, override)
    if not parameters:
        raise ConfigError(
            "The search has nothing to choose. Give a setting a range or several values, for "
            "example 'solver.lr=tag(log,interval(1e-5,1e-3))' transition=none,rank_one."
        )
    return SearchSpace(fixed, parameters, repeats)


def run_search(
    configs: Path,
    arguments: list[str],
    trials: int,
    storage: Path,
    name: str,
    console: Console,
) -> "optuna.Study":
    """Go on until the study has ``trials`` finished trials.

    A job of a trial is a job as in a multirun: what has finished is not run again, and a stopped
    search begins with the trial it was stopped in.

    Args:
        configs: the folder of configs.
        arguments: settings and what to search; ``optimized_metric=`` says what to maximise.
        trials: finished trials in all, those of an earlier start included.
        storage: the SQLite file.
        name: the study in it.
        console: where to.

    Raises:
        ConfigError: Optuna is missing, or there is no ``optimized_metric``.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(
            "The search needs the package optuna: install the extra with "
            "`pip install terrashot[sweeps]`."
        ) from error
    space = parse_space(arguments)
    if not any(o.startswith("optimized_metric=") for o in space.fixed):
        raise ConfigError(
            "The search needs to know what to maximise: add optimized_metric=NAME, for example "
            "optimized_metric=test/weighted_miou (with data.split=val, so that nothing is chosen "
            "on the test queries)."
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    metric = next(o.partition("=")[2] for o in space.fixed if o.startswith("optimized_metric="))
    study = optuna.create_study(
        storage=f"sqlite:///{storage}",
        study_name=name,
        direction="minimize" if metric.endswith("loss") else "maximize",
        load_if_exists=True,
    )
    _take_up(study)
    done = _finished(study)
    if done:
        console.print(f"{done} of {trials} trials were finished already")
    while (done := _finished(study)) < trials:
        trial = study.ask()
        chosen = {key: choose(trial) for key, choose in space.parameters.items()}
        label = " ".join(f"{key}={value}" for key, value in chosen.items())
        console.rule(f"trial {done + 1} of {trials}: {label}", align="left")
        values = _run_trial(configs, space, chosen)
        if values is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            if _failed_in_a_row(study) >= 3:
                raise TerrashotError(
                    "Three trials in a row have failed; the messages above say why. Mend the "
                    "settings and start the same command again."
                )
        else:
            trial.set_user_attr("values", values)
            study.tell(trial, statistics.fmean(values))
    return study


def _run_trial(configs: Path, space: SearchSpace, chosen: dict[str, str]) -> list[float] | None:
    """The metric of each repeat; None where one of them failed."""
    own = [f"{key}={value}" for key, value in chosen.items()]
    sweep = plan_sweep(configs, [*space.fixed, *own], space.repeats, {})
    sweep.write(["search", *space.fixed, *own])
    values = []
    for job in sweep.jobs:
        value = run_sweep_job(sweep.folder, job.identity)
        if value is None or math.isnan(value):
            return None
        values.append(value)
    return values


def _take_up(study: "optuna.Study") -> None:
    """End trials that a stopped search left running, and begin with their settings."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params, skip_if_exists=False)


def _finished(study: "optuna.Study") -> int:
    import optuna

    return len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))


def _failed_in_a_row(study: "optuna.Study") -> int:
    count = 0
    for trial in reversed(study.get_trials(deepcopy=False)):
        if trial.state.name != "FAIL":
            break
        count += 1
    return count


def _chooser(key: str, override: Override) -> "Callable[[optuna.Trial], str]":
    value: Any = override.value()
    if isinstance(value, IntervalSweep):
        log = "log" in value.tags
        start, end = value.start, value.end
        assert start is not None
        assert end is not None
        if isinstance(start, int) and isinstance(end, int):
            return lambda trial: str(trial.suggest_int(key, start, end, log=log))
        return lambda trial: repr(trial.suggest_float(key, float(start), float(end), log=log))
    if isinstance(value, RangeSweep | ChoiceSweep):
        options = list(override.sweep_string_iterator())
        return lambda trial: str(trial.suggest_categorical(key, options))
    raise ConfigError(
        f"{override.input_line}: a search takes interval(a,b), tag(log,interval(a,b)), range(a,b) "
        "or listed values."
    )
