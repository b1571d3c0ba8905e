"""Search settings with Optuna; stopped and started again, it goes on.

terrashot search experiment=stage2 method=classtrans data=dubai data.split=val \
    --trials 40 optimized_metric=test/weighted_miou data.support_draw=0,1,2 \
    'solver.lr=tag(log,interval(1e-5,1e-3))' transition=none,rank_one

Ranges and lists are searched; lists of data.support_draw and seed are run for each trial, and
their mean counts. The study lies in logs/searches/NAME.db (SQLite), which `optuna-dashboard` shows.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from terrashot.app.config.compose import compose_raw
from terrashot.app.sweep.search import parse_space, run_search
from terrashot.cli.command import make_parser, run_command
from terrashot.configs_folder import configs_folder


def main(arguments: Sequence[str]) -> int:
    """Run the search of the command line; returns the exit code."""
    parser = make_parser("search", __doc__)
    parser.add_argument("settings", nargs="+", help="key=value, key=interval(a,b), key=a,b, ...")
    parser.add_argument("--trials", type=int, default=20, help="finished trials in all (20)")
    parser.add_argument("--name", help="of the study; by default the experiment's")
    parser.add_argument("--storage", type=Path, help="SQLite file (logs/searches/NAME.db)")
    options = parser.parse_intermixed_args(arguments)
    return run_command(lambda: _search(options, Console()))


def _search(options: argparse.Namespace, console: Console) -> int:
    configs = configs_folder()
    base = compose_raw(configs, parse_space(options.settings).fixed)
    name = options.name or base.name
    storage = options.storage or Path(base.paths.logs) / "searches" / f"{name}.db"
    study = run_search(configs, options.settings, options.trials, storage, name, console)
    best = study.best_trial
    console.print(f"best of {options.trials} trials: {best.value:.4f} in {storage}")
    for key, value in best.params.items():
        console.print(f"  {key}={value}", markup=False, highlight=False, soft_wrap=True)
    return 0
