"""Search settings with Optuna; stopped and started again, it goes on.

python scripts/search.py experiment=stage2 method=classtrans data=dubai data.split=val \
    --trials 40 optimized_metric=test/weighted_miou data.support_draw=0,1,2 \
    'solver.lr=tag(log,interval(1e-5,1e-3))' transition=none,rank_one

Ranges and lists are searched; lists of data.support_draw and seed are run for each trial, and
their mean counts. The study lies in logs/searches/NAME.db (SQLite), which `optuna-dashboard` shows.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.app.compose import compose_raw
from terrashot.app.search import parse_space, run_search
from terrashot.errors import TerrashotError

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def main(arguments: list[str] | None = None) -> int:
    """Run the search of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("settings", nargs="+", help="key=value, key=interval(a,b), key=a,b, ...")
    parser.add_argument("--trials", type=int, default=20, help="finished trials in all (20)")
    parser.add_argument("--name", help="of the study; by default the experiment's")
    parser.add_argument("--storage", type=Path, help="SQLite file (logs/searches/NAME.db)")
    options = parser.parse_intermixed_args(arguments)
    console = Console()
    try:
        base = compose_raw(CONFIGS, parse_space(options.settings).fixed)
        name = options.name or base.name
        storage = options.storage or Path(base.paths.logs) / "searches" / f"{name}.db"
        study = run_search(CONFIGS, options.settings, options.trials, storage, name, console)
    except TerrashotError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on", highlight=False)
        return 130
    best = study.best_trial
    console.print(f"best of {options.trials} trials: {best.value:.4f} in {storage}")
    for key, value in best.params.items():
        console.print(f"  {key}={value}", markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
