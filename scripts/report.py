"""Write report.html of a finished run or sweep again, from what its folder holds.

python scripts/report.py logs/stage2/latest
python scripts/report.py logs/sweeps/ablation_loss_1a2b3c4d

Tiles are read from the dataset that the run's config.yaml names: start it where the run started.
Exit code: 0 written, 1 not.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.errors import ConfigError, TerrashotError
from terrashot.reporting.run_summary import short_path


def main() -> int:
    """Parse the command line, write the reports, say where they lie."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="RUN_OR_SWEEP_FOLDER")
    folder = parser.parse_args().folder
    try:
        path = _write(folder.resolve())
    except (TerrashotError, OSError) as error:
        message = f"[bold red]error:[/] {escape(str(error))}"
        Console(stderr=True).print(message, highlight=False, soft_wrap=True)
        return 1
    Console().print(f"report: {escape(short_path(path))}", highlight=False, soft_wrap=True)
    return 0


def _write(folder: Path) -> Path:
    # Late, since they import torch and Lightning: --help should answer at once.
    from terrashot.app.run_folder import RunFolder
    from terrashot.app.run_report import write_run_report
    from terrashot.app.sweep_plan import load_sweep
    from terrashot.app.sweep_report import write_sweep_report

    if (folder / "sweep.json").is_file():
        return write_sweep_report(load_sweep(folder))
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is no folder. Give the folder of a finished stage-2 run "
            "(logs/stage2/latest) or of a multirun (logs/sweeps/NAME)."
        )
    return write_run_report(RunFolder(folder))


if __name__ == "__main__":
    sys.exit(main())
