"""The entry point behind ``run.py``: one run, or a multirun, from the command line."""

import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from terrashot.app.compose import compose_settings, load_settings, to_settings
from terrashot.app.overview import print_experiments, print_help
from terrashot.errors import TerrashotError

_FOLDER_FLAG = "--run-folder"


def main(configs: Path, arguments: list[str]) -> int:
    """Run what the command line asks for; returns the exit code.

    ``--run-folder FOLDER`` carries on with a folder whose ``config.yaml`` is written already: it
    is how a run with several devices starts its processes, all with the very same settings.
    """
    console = Console(stderr=True)
    try:
        if not arguments:
            print_experiments(configs, Console())
        elif arguments[0] in ("-h", "--help"):
            print_help(configs, Console())
        elif arguments[0] == _FOLDER_FLAG:
            from terrashot.app.launch import run_in_folder  # late: see start_run below

            folder = Path(arguments[1])
            run_in_folder(load_settings(folder / "config.yaml"), folder)
        elif any(a in ("-m", "--multirun") for a in arguments):
            return _multirun(configs, arguments)
        else:
            settings = compose_settings(configs, arguments)
            # Late, since it imports torch, timm and Lightning (seconds): the lists above and a
            # misspelled setting should answer at once.
            from terrashot.app.launch import start_run

            start_run(settings, arguments, sweep=None, console=Console())
    except TerrashotError as error:
        console.print(
            f"[bold red]{_title(error)}[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        return 1
    except KeyboardInterrupt:
        console.print("stopped; go on with resume=latest", highlight=False)
        return 130
    return 0


def _multirun(configs: Path, arguments: list[str]) -> int:
    """Run a sweep; with another sweeper of Hydra than its basic one, hand everything to it."""
    from terrashot.app.sweep import run_sweep

    if not any(a.startswith(("hydra/sweeper=", "hydra.sweeper.")) for a in arguments):
        overrides = [a for a in arguments if not a.startswith("-")]
        sys.argv = [sys.argv[0], *arguments]
        return run_sweep(configs, overrides, Console())
    sys.argv = [sys.argv[0], *arguments]
    # A TerrashotError inside a job should reach `main`, not Hydra's own error printer.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    hydra.main(config_path=str(configs.resolve()), config_name="run", version_base="1.3")(_job)()
    return 0


def _job(config: DictConfig) -> float | None:
    """One job of another sweeper's multirun; returns the metric that it optimises."""
    from terrashot.app.launch import start_run

    hydra_config = HydraConfig.get()
    return start_run(
        to_settings(config),
        list(hydra_config.overrides.task),
        sweep=Path(hydra_config.sweep.dir).name,
        console=Console(),
    )


def _title(error: TerrashotError) -> str:
    return {
        "ConfigError": "Configuration:",
        "DataError": "Data:",
        "CheckpointError": "Checkpoint:",
    }.get(type(error).__name__, "Error:")
