"""Impossible combinations and missing files, found before any long work starts."""

from pathlib import Path
from typing import Any

from terrashot.app.config.check_tiles import check_tiles
from terrashot.app.config.fields import check_ranges
from terrashot.app.run.bench import SettingsBench
from terrashot.app.run.build import device_count, resolve_accelerator
from terrashot.app.tasks.registry import find_task
from terrashot.data.label_codes import LabelCodes
from terrashot.errors import ConfigError
from terrashot.tasks.of_data import names_classes, taxonomy_of
from terrashot.tasks.settings.data import TrainingData
from terrashot.tasks.settings.runs import RunSettings, TileSettings
from terrashot.tasks.task import Task


def check_settings(settings: RunSettings) -> None:
    """Raise a ConfigError, DataError or CheckpointError for the first thing that can't work."""
    task = find_task(settings.task)
    check_ranges(settings)
    _check_folders(settings)
    _check_devices(settings, task)
    _check_metric(settings, task)
    if isinstance(settings, TileSettings):
        _check_data(settings, task)
    bench = SettingsBench(settings)
    task.check(settings, bench)
    bench.files()
    if isinstance(settings, TileSettings) and isinstance(settings.data, TrainingData):
        bench.image_spec()
    if task.needs_stage1:
        bench.stage1_checkpoint()


def _check_folders(settings: RunSettings) -> None:
    """Raise a ConfigError where a folder is to be made and something else stands there."""
    for name in ("logs", "run_folder", "feature_cache"):
        given = getattr(settings.paths, name)
        if given is None:
            continue
        if not given.strip():
            raise ConfigError(f"paths.{name} is empty, but it must be a folder: paths.{name}=DIR.")
        path = Path(given)
        file = next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), None)
        if file is not None:
            raise ConfigError(
                f"paths.{name} is '{given}', but {file} is a file, and a folder is needed there. "
                f"Name another one with paths.{name}=DIR, or move the file."
            )


def _check_data(settings: TileSettings, task: Task[Any]) -> None:
    if not names_classes(settings) and not task.reads(settings):
        return
    # Refuses what is no list of classes, and codes of other ones.
    LabelCodes.of(settings.data.labels, taxonomy_of(settings))
    check_tiles(settings, task)


def _check_devices(settings: RunSettings, task: Task[Any]) -> None:
    trainer, strategy = settings.trainer, settings.strategy.name
    if strategy == "single" and settings.processes > 1:
        raise ConfigError(
            f"strategy=single runs one process, but trainer.devices={trainer.devices} and "
            f"trainer.num_nodes={trainer.num_nodes} ask for {settings.processes}. Add strategy=ddp,"
            " or set both to 1."
        )
    accelerator = resolve_accelerator(trainer.accelerator)
    count = device_count(accelerator)
    if count is not None and trainer.devices > count:
        raise ConfigError(
            f"trainer.devices={trainer.devices}, but this machine has {count} {accelerator} "
            f"device(s). Set trainer.devices={count}."
        )
    if strategy == "fsdp" and accelerator != "cuda":
        raise ConfigError(
            f"strategy=fsdp needs CUDA GPUs, but the accelerator is {accelerator}. Use "
            "strategy=single or strategy=ddp."
        )
    if strategy == "fsdp" and not task.trains:
        raise ConfigError(
            f"strategy=fsdp shards training; task {settings.task} trains no network. Use "
            "strategy=ddp to share the tiles over several devices."
        )


def _check_metric(settings: RunSettings, task: Task[Any]) -> None:
    callbacks = getattr(settings, "callbacks", None)
    if callbacks is not None:
        known = task.monitored(settings)
        if callbacks.monitor not in known:
            raise ConfigError(
                f"callbacks.monitor is '{callbacks.monitor}', but task {settings.task} "
                f"logs {', '.join(known)}."
            )
    name = settings.optimized_metric
    if name is None:
        return
    known = task.metrics(settings)
    if name not in known:
        measured = f"measures {', '.join(known)}" if known else "has no score"
        raise ConfigError(f"optimized_metric is '{name}', but this run {measured}.")
