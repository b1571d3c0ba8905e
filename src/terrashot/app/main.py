"""The entry point behind ``run.py``: one run, or a multirun, from the command line."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.app.config.groups import check_group_names, print_experiments, print_help
from terrashot.errors import CheckpointError, ConfigError, DataError, TerrashotError
from terrashot.full_disk import is_full, why

_FOLDER_FLAG = "--run-folder"


def main(configs: Path, arguments: list[str]) -> int:
    """Run what the command line asks for; returns the exit code.

    ``--run-folder FOLDER`` carries on with a folder whose ``config.yaml`` is written already: it
    is how a run with several devices starts its processes, all with the very same settings.

    Everything is imported where it is needed: the lists and a misspelled setting should answer at
    once, and torch, timm and Lightning take seconds.
    """
    console = Console(stderr=True)
    try:
        if not arguments:
            print_experiments(configs, Console())
        elif arguments[0] in ("-h", "--help"):
            print_help(configs, Console())
        elif arguments[0] == _FOLDER_FLAG:
            _run_in_folder(Path(arguments[1]))
        elif any(a in ("-m", "--multirun") for a in arguments):
            check_group_names(configs, [a for a in arguments if not a.startswith("-")])
            from terrashot.app.sweep.sweep import run_sweep

            return run_sweep(configs, arguments, Console())
        else:
            # A misspelled option is told before Hydra is imported.
            check_group_names(configs, arguments)
            from terrashot.app.config.compose import compose_settings

            settings = compose_settings(configs, arguments)
            if settings.resume is not None:
                _check_free(settings.resume, Path(settings.paths.logs), settings.name)
            from terrashot.app.run.start import start_run

            start_run(settings, arguments, Console())
    except TerrashotError as error:
        console.print(
            f"[bold red]{_title(error)}[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        return 1
    except OSError as error:
        if not is_full(error):
            raise
        said = f"{why(error)} ({error}). Make room, then give the same command again."
        console.print(f"[bold red]Error:[/] {escape(said)}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; go on with resume=latest", highlight=False)
        return 130
    return 0


def _check_free(resume: str, logs: Path, experiment: str) -> None:
    """Refuse a run that is still at work before everything is imported and checked for it."""
    from terrashot.app.run.folder import find_run

    folder = find_run(resume, logs, experiment)
    if folder.is_of_first_process:  # the others must not see the lock of the first
        folder.check_free()


def _run_in_folder(folder: Path) -> None:
    from terrashot.app.config.typed import load_settings
    from terrashot.app.run.start import run_in_folder

    run_in_folder(load_settings(folder / "config.yaml"), folder)


def _title(error: TerrashotError) -> str:
    kinds = {
        ConfigError: "Configuration:",
        DataError: "Data:",
        CheckpointError: "Checkpoint:",
    }
    return next((title for kind, title in kinds.items() if isinstance(error, kind)), "Error:")
