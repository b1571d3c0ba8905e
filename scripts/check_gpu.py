"""Everything that has to be seen on a card, within eight minutes, as a table and as JSON.

    python scripts/check_gpu.py --json gpu.json
    python scripts/check_gpu.py --device cpu --size 32

The second line runs the same parts in small where there is no card. Each part runs in a process of
its own within its budget of time; one that fails, or is not done in time, becomes a row, and the
next one runs. `--patience` multiplies the budgets: 1 on a card, 5 without one, where compiling a
network takes a single thread more than a minute.
Exit code: 0 every part went well or was skipped, 1 one did not.
"""

import argparse
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gpu_check.adaptation import exact, fast
from gpu_check.exported import exported
from gpu_check.hardware import hardware
from gpu_check.mapping import adapted, mapped
from gpu_check.numbers import numbers
from gpu_check.part import FAILED, LATE, Outcome, Part, Place, run_part
from gpu_check.training import compiled, sharded
from terrashot.files import write_json

PARTS = [
    Part("hardware", hardware, 20),
    Part("numbers", numbers, 60),
    Part("stage 2, exact", exact, 100),
    Part("stage 2, fast", fast, 50),
    Part("adapt", adapted, 20),
    Part("predict", mapped, 80),
    Part("stage 1, compiled", compiled, 80),
    Part("stage 1, sharded", sharded, 40),
    Part("onnx", exported, 30),
]
"""480 seconds in all; what matters most comes first."""


def show(outcomes: list[Outcome], device: str) -> None:
    """The table."""
    table = Table(title=f"check_gpu on {device}", title_justify="left", show_lines=True)
    for name in ("part", "state", "s", "figures"):
        table.add_column(name, justify="right" if name == "s" else "left")
    for row in outcomes:
        figures = ", ".join(f"{key} {_text(value)}" for key, value in row.figures.items())
        table.add_row(row.name, row.state, f"{row.seconds:.1f}", figures or row.reason)
    Console(width=120, markup=False).print(table)


def _text(value: Any) -> str:  # noqa: ANN401 - a figure or a word
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run the parts of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--size", type=int, default=256, help="side of feature maps, x 8")
    parser.add_argument("--json", type=Path, help="also write hardware and figures to this file")
    parser.add_argument("--patience", type=float, help="multiplies the budgets; 1, on the cpu 5")
    names = [part.name for part in PARTS]
    parser.add_argument("--parts", nargs="+", choices=names, default=names, metavar="PART")
    options = parser.parse_args()
    if options.size < 16 or options.size % 8:
        parser.error("--size must be a multiple of 8, 16 or more")
    patience = options.patience or {"cuda": 1.0, "cpu": 5.0}[options.device]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        first = Place(options.device, options.size, Path(folder), 0)
        for number, part in enumerate(p for p in PARTS if p.name in options.parts):
            seconds = part.seconds * patience
            place = replace(first, folder=first.folder / str(number), seconds=seconds)
            outcomes.append(run_part(part, place))
            row = outcomes[-1]
            print(f"{row.name}: {row.state}, {row.seconds:.1f} s", file=sys.stderr, flush=True)
            if options.json is not None:  # after each part: whatever follows, this was seen
                rows = [asdict(outcome) for outcome in outcomes]
                write_json(options.json, {"device": options.device, "parts": rows})
    show(outcomes, options.device)
    return int(any(row.state in (FAILED, LATE) for row in outcomes))


if __name__ == "__main__":
    sys.exit(main())
