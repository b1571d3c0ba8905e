"""Write report.html of a finished run or sweep again, from what its folder holds.

terrashot report logs/stage2/latest
terrashot report logs/sweeps/ablation_loss_1a2b3c4d

Tiles are read from the dataset that the run's config.yaml names: start it where the run started.
Exit code: 0 written, 1 not.
"""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.cli.command import make_parser, run_command
from terrashot.errors import ConfigError
from terrashot.reporting.run_summary import short_path


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, write the reports, say where they lie."""
    parser = make_parser("report", __doc__)
    parser.add_argument("folder", type=Path, metavar="RUN_OR_SWEEP_FOLDER")
    folder = parser.parse_args(arguments).folder.resolve()

    def run() -> int:
        path = _write(folder)
        Console().print(f"report: {escape(short_path(path))}", highlight=False, soft_wrap=True)
        return 0

    return run_command(run)


def _write(folder: Path) -> Path:
    # Late, since they import torch and Lightning: --help should answer at once.
    from terrashot.app.run.folder import RunFolder
    from terrashot.app.run.report import write_run_report
    from terrashot.app.sweep.plan import load_sweep
    from terrashot.app.sweep.report import write_sweep_report

    if (folder / "sweep.json").is_file():
        return write_sweep_report(load_sweep(folder))
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is no folder. Give the folder of a finished stage-2 run "
            "(logs/stage2/latest) or of a multirun (logs/sweeps/NAME)."
        )
    return write_run_report(RunFolder(folder))
