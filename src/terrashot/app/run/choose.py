"""Which folder a run takes: a new one, the one it is given, or that of an earlier start."""

from pathlib import Path

import yaml

from terrashot.app.config.fields import scored_values
from terrashot.app.config.signatures import without_signatures
from terrashot.app.config.typed import load_settings
from terrashot.app.run.folder import FINISHED, RunFolder, runs_of_launch
from terrashot.app.run.launch import Launch
from terrashot.errors import ConfigError, TerrashotError
from terrashot.tasks.settings.runs import RunSettings

_WRITTEN = ("run.json", "results.json", "adapted.ckpt", "checkpoints", "queries", "maps")


def choose_folder(settings: RunSettings, launch: Launch) -> RunFolder:
    """The folder for a run, there when this returns; the first process of a launch alone asks.

    A job that SLURM starts again, or processes that torchrun does, go on with what they had
    begun: the run of the same launch with the same settings.

    Raises:
        ConfigError: ``paths.run_folder`` holds something else than this run.
    """
    logs = Path(settings.paths.logs)
    fixed = settings.paths.run_folder
    if fixed is not None:
        check_fixed_folder(RunFolder(Path(fixed)), settings)
    elif launch.restarts and launch.name is not None:
        same = [
            run
            for run in runs_of_launch(logs, settings.name, launch.name)
            if run.config.is_file() and _difference(run, settings) is None
        ]
        unfinished = [run for run in same if run.read_info().get("status") != FINISHED]
        if same:
            return (unfinished or same)[-1]
    return RunFolder.create(logs, settings.name, fixed)


def check_fixed_folder(folder: RunFolder, settings: RunSettings) -> None:
    """Hold what is in ``paths.run_folder`` against the run: the same one again, or none of a run.

    Raises:
        ConfigError: its files are those of another run, or of none.
    """
    if not folder.path.is_dir():
        return
    taken = f"paths.run_folder={folder.path} holds"
    remedy = "Name a folder of its own; it is made."
    if not folder.config.is_file():
        there = [name for name in _WRITTEN if (folder.path / name).exists()]
        if there:
            raise ConfigError(
                f"{taken} {there[0]}, but no config.yaml, so it is no run's folder, and this run "
                f"would replace that file or take it for its own. {remedy}"
            )
        return
    try:
        difference = _difference(folder, settings)
    except (TerrashotError, yaml.YAMLError, AttributeError) as error:
        raise ConfigError(
            f"{taken} a config.yaml that is no run's, which this run would replace. {remedy}"
        ) from error
    if difference is not None:
        raise ConfigError(
            f"{taken} another run, whose {difference}, and whose files this run would replace. "
            f"{remedy} `resume={folder.path}` goes on with that run."
        )


def _difference(folder: RunFolder, settings: RunSettings) -> str | None:
    """The first setting in which the run in ``folder`` is another one; None: it is the same."""
    other = without_signatures(scored_values(load_settings(folder.config)))
    own = without_signatures(scored_values(settings))
    key = next((k for k in {**own, **other} if own.get(k) != other.get(k)), None)
    return None if key is None else f"{key} is {other.get(key)} and not {own.get(key)}"
