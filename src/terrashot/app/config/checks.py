"""Impossible combinations and missing files, found before any long work starts."""

from pathlib import Path
from typing import Any

from terrashot.app.config.fields import check_ranges
from terrashot.app.run.bench import SettingsBench
from terrashot.app.run.build import device_count, resolve_accelerator
from terrashot.app.tasks.registry import find_task
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.tasks.settings import LoggedSettings, RunSettings, TrainingData
from terrashot.tasks.task import Task, taxonomy_of


def check_settings(settings: RunSettings) -> None:
    """Raise a ConfigError, DataError or CheckpointError for the first thing that can't work."""
    task = find_task(settings.task)
    check_ranges(settings)
    _check_devices(settings, task)
    _check_metric(settings, task)
    if isinstance(settings, LoggedSettings):
        _check_data(settings, task)
    bench = SettingsBench(settings)
    task.check(settings, bench)
    bench.files()
    if isinstance(settings, LoggedSettings) and isinstance(settings.data, TrainingData):
        bench.image_spec()
    if task.needs_stage1:
        bench.stage1_checkpoint()


def _check_data(settings: LoggedSettings, task: Task[Any]) -> None:
    data = settings.data
    taxonomy = taxonomy_of(settings)
    parts = task.reads(settings)
    if data.demo_seed is None and parts is not None:  # the demo set makes itself later
        layout = FewShotLayout(
            Path(data.root), data.split, taxonomy.novel_ids, data.hint, data.support_draw
        )
        for part in parts:
            getattr(layout, part)  # reads the list and looks for its files


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
    name, known = settings.optimized_metric, task.metrics(settings)
    if name is not None and name not in known:
        measured = f"measures {', '.join(known)}" if known else "has no score"
        raise ConfigError(f"optimized_metric is '{name}', but this run {measured}.")
