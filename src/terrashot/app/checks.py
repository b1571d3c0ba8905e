"""Impossible combinations and missing files, found before any long work starts."""

from pathlib import Path

from terrashot.adaptation.support.storage import storage_type
from terrashot.app.hardware import device_count, resolve_accelerator
from terrashot.app.joint import build_joint
from terrashot.app.kinds.kind import TaskKind
from terrashot.app.kinds.registry import task_kind
from terrashot.app.settings import Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.data.layout import FewShotLayout
from terrashot.data.share import check_share
from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

# Groups that a single task reads, and its experiment.
_OF_ONE_TASK = {
    "pretraining": "pretrain_false",
    "episodes": "sg_one",
    "units": "simnet",
    "noise": "weak_shot",
    "weak_shot": "weak_shot",
}


def check_settings(settings: Settings) -> None:
    """Raise a ConfigError, DataError or CheckpointError for the first thing that can't work."""
    kind = task_kind(settings)
    _check_numbers(settings)
    _check_groups(settings, kind)
    _check_devices(settings, kind)
    _check_loggers(settings)
    taxonomy = Taxonomy.from_dict(settings.data.taxonomy)
    _check_metric(settings, kind, taxonomy)
    if settings.data.demo_seed is None:  # the demo set makes itself later
        data = settings.data
        layout = FewShotLayout(
            Path(data.root), data.split, taxonomy.novel_ids, data.hint, data.support_draw
        )
        kind.check_tiles(layout)
    kind.check(settings, taxonomy)
    if kind.needs_stage1:
        stage1_checkpoint(settings)


def _check_numbers(settings: Settings) -> None:
    positive = {
        "trainer.max_epochs": settings.trainer.max_epochs,
        "trainer.devices": settings.trainer.devices,
        "trainer.num_nodes": settings.trainer.num_nodes,
        "trainer.accumulate_grad_batches": settings.trainer.accumulate_grad_batches,
        "trainer.check_val_every_n_epoch": settings.trainer.check_val_every_n_epoch,
        "trainer.log_every_n_steps": settings.trainer.log_every_n_steps,
        "data.crop": settings.data.crop,
        "data.batch_size": settings.data.batch_size,
        "data.eval_batch_size": settings.data.eval_batch_size,
        "data.eval_size": settings.data.eval_size,
        "optimizer.lr_batch": settings.optimizer.lr_batch if settings.optimizer else None,
        "adaptation.feature_stride": settings.adaptation.feature_stride,
        "adaptation.queries_per_pass": settings.adaptation.queries_per_pass,
    }
    for key, value in positive.items():
        if value is not None and value < 1:
            raise ConfigError(f"{key} is {value}, but it must be at least 1.")
    storage_type(settings.adaptation.storage)
    build_joint(settings)
    limit = settings.adaptation.feature_cache
    if limit is not None and limit < 0:
        raise ConfigError(
            f"adaptation.feature_cache is {limit}, but it is a size in GB: 20 for example, or 0 "
            "for no cache."
        )
    check_share(settings.data.train_share)
    draw = settings.data.support_draw
    if draw is not None and draw < 0:
        raise ConfigError(
            f"data.support_draw is {draw}, but draws are numbered 0, 1, 2, ...; null takes the "
            "support tiles of the split's JSON file."
        )
    if len(settings.data.mean) != 3 or len(settings.data.std) != 3 or min(settings.data.std) <= 0:
        raise ConfigError(
            "data.mean and data.std need three numbers each, for red, green and blue after "
            f"division by 255, and std above 0; found {settings.data.mean}, {settings.data.std}."
        )


def _check_groups(settings: Settings, kind: TaskKind) -> None:
    for group in kind.needed:
        if getattr(settings, group) is None:
            raise ConfigError(
                f"{group} is null, but task {settings.task} needs it. Choose an option, for "
                f"example on the command line {group}=OPTION; --help lists them."
            )
    for group, experiment in _OF_ONE_TASK.items():
        if getattr(settings, group) is not None and group not in kind.needed:
            raise ConfigError(
                f"{group} is a setting of experiment={experiment}, but experiment={settings.name} "
                f"is another task, which would ignore it. Leave {group} out, or run "
                f"experiment={experiment}."
            )
    for group, reason in kind.refused.items():
        if getattr(settings, group) is not None:
            raise ConfigError(reason.format(group=group, experiment=settings.name))


def _check_devices(settings: Settings, kind: TaskKind) -> None:
    trainer, strategy = settings.trainer, settings.strategy.name
    if strategy not in ("single", "ddp", "fsdp"):
        raise ConfigError(f"strategy.name is '{strategy}'; it must be single, ddp or fsdp.")
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
    if strategy == "fsdp" and not kind.trains:
        raise ConfigError(
            f"strategy=fsdp shards training; task {settings.task} trains no network. Use "
            "strategy=ddp to share the tiles over several devices."
        )


def _check_loggers(settings: Settings) -> None:
    modes = ("auto", "online", "offline", "disabled")
    if settings.logger.mode not in modes:
        raise ConfigError(f"logger.mode is '{settings.logger.mode}'; choose {', '.join(modes)}.")


def _check_metric(settings: Settings, kind: TaskKind, taxonomy: Taxonomy) -> None:
    if kind.trains:
        known = kind.monitored(settings, taxonomy)
        if settings.callbacks.monitor not in known:
            raise ConfigError(
                f"callbacks.monitor is '{settings.callbacks.monitor}', but task {settings.task} "
                f"logs {', '.join(known)}."
            )
    name, known = settings.optimized_metric, kind.metrics(settings, taxonomy)
    if name is not None and name not in known:
        raise ConfigError(
            f"optimized_metric is '{name}', but this run measures {', '.join(known)}."
        )
