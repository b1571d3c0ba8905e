"""The loggers of a run, from plain settings."""

import csv
import warnings
from pathlib import Path
from typing import cast

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from terrashot.app.config.typed import to_plain
from terrashot.app.run.folder import RunFolder
from terrashot.callbacks.wandb_run import Mode, make_wandb_logger
from terrashot.errors import ConfigError
from terrashot.tasks.settings.runs import LoggedSettings, RunSettings


def build_loggers(settings: RunSettings, folder: RunFolder) -> list[Logger]:
    """CSV, wandb and TensorBoard loggers that write into the run's folder; none for a map.

    Raises:
        ConfigError: TensorBoard is asked for but not installed.
    """
    loggers: list[Logger] = []
    if not isinstance(settings, LoggedSettings):
        return loggers
    if settings.logger.csv:
        loggers.append(_csv_logger(folder))
    if settings.logger.wandb:
        info = folder.read_info()
        loggers.append(
            make_wandb_logger(
                project=settings.logger.project,
                group=info.get("sweep") or settings.name,
                name=f"{settings.name}/{folder.path.name}",
                run_id=info["wandb_id"],
                folder=folder.path,
                tags=settings.tags,
                config=to_plain(settings),
                mode=cast(Mode, settings.logger.mode),
            )
        )
    if settings.logger.tensorboard:
        try:
            loggers.append(TensorBoardLogger(folder.path, name="tensorboard", version=""))
        except ModuleNotFoundError as error:
            raise ConfigError(
                "logger=tensorboard needs the package tensorboard: install the extra with "
                "`pip install terrashot[tensorboard]`, or use logger=default."
            ) from error
    return loggers


def _csv_logger(folder: RunFolder) -> CSVLogger:
    """A CSV logger that goes on with the ``metrics.csv`` of a resumed run.

    Lightning's own deletes it. Rows of an epoch that was stopped half-way and done again stand
    twice, with equal values, since a resumed run repeats the epoch exactly.
    """
    path = folder.path / "metrics.csv"
    kept = folder.path / ".metrics_before_resume.csv"
    rows = _whole_rows(path) if path.is_file() else []
    if rows and _is_first():
        kept.write_text("".join(rows), encoding="utf-8")
    logger = CSVLogger(folder.path, name="", version="", flush_logs_every_n_steps=10)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Experiment logs directory")
        experiment = logger.experiment
    if rows and _is_first():
        experiment.metrics_keys = next(csv.reader(rows[:1]))  # a class name may hold a comma
        kept.replace(path)
    return logger


def _whole_rows(path: Path) -> list[str]:
    """Header and rows of a CSV file, without the line that a kill cut short."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = [line for line in file if line.endswith("\n")]
    widths = [len(row) for row in csv.reader(lines)]
    return [line for line, width in zip(lines, widths, strict=True) if width == widths[0]]


def _is_first() -> bool:
    """Whether this is the run's first process; asked before there is a trainer."""
    return getattr(rank_zero_only, "rank", 0) == 0
