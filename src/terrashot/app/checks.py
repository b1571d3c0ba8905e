"""Impossible combinations and missing files, found before any long work starts."""

from pathlib import Path

from terrashot.adaptation.support import storage_type
from terrashot.app.hardware import device_count, resolve_accelerator
from terrashot.app.joint import build_joint
from terrashot.app.run_folder import latest_finished
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import CheckpointError, ConfigError
from terrashot.tasks.checkpoint import find_checkpoint
from terrashot.taxonomy import Taxonomy

BASE_SEGMENTATION, NOVEL_ADAPTATION = "base_segmentation", "novel_adaptation"
TASKS = (BASE_SEGMENTATION, NOVEL_ADAPTATION)


def check_settings(settings: Settings) -> None:
    """Raise a ConfigError, DataError or CheckpointError for the first thing that can't work."""
    if settings.task not in TASKS:
        raise ConfigError(f"task is '{settings.task}', but it must be one of {', '.join(TASKS)}.")
    _check_numbers(settings)
    _check_groups(settings)
    _check_devices(settings)
    _check_loggers(settings)
    taxonomy = Taxonomy.from_dict(settings.data.taxonomy)
    _check_metric(settings, taxonomy)
    if settings.data.demo_seed is None:  # the demo set makes itself later
        data = settings.data
        layout = FewShotLayout(
            Path(data.root), data.split, taxonomy.novel_ids, data.hint, data.support_draw
        )
        if settings.task == BASE_SEGMENTATION:
            wanted: list[object] = [layout.train, layout.stage1_val]
        else:
            wanted = [layout.support, layout.query]
        assert all(wanted)  # reading a part checks that its list and all its files are there
    if settings.task == NOVEL_ADAPTATION:
        if not taxonomy.novel:
            raise ConfigError(
                f"data={settings.data.name} has no novel class in its taxonomy, so stage 2 has "
                "nothing to learn. List at least one under data.taxonomy.novel."
            )
        stage1_checkpoint(settings)


def stage1_checkpoint(settings: Settings) -> Path:
    """The checkpoint that stage 2 starts from: the one named, or the latest on this data.

    Raises:
        CheckpointError: there is none.
    """
    if settings.checkpoint is not None and settings.checkpoint != "latest":
        return find_checkpoint(settings.checkpoint)
    run = latest_finished(Path(settings.paths.logs), BASE_SEGMENTATION, settings.data.name)
    if run is None:
        raise CheckpointError(
            f"Stage 2 needs a stage-1 checkpoint, but {settings.paths.logs}/ holds no finished "
            f"stage-1 run on data={settings.data.name}. Run `python run.py experiment=stage1 "
            f"data={settings.data.name}` first, or name a checkpoint with checkpoint=PATH."
        )
    return find_checkpoint(str(run.path))


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
        "adaptation.feature_stride": settings.adaptation.feature_stride,
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


def _check_groups(settings: Settings) -> None:
    needed = {
        BASE_SEGMENTATION: ["backbone", "decoder", "loss", "optimizer", "scheduler"],
        NOVEL_ADAPTATION: ["method"],
    }[settings.task]
    for group in needed:
        if getattr(settings, group) is None:
            raise ConfigError(
                f"{group} is null, but task {settings.task} needs it. Choose an option, for "
                f"example on the command line {group}=OPTION; --help lists them."
            )
    if settings.task == BASE_SEGMENTATION:
        for group in ["similarity", "transition", "transduction", "solver", "method", "inference"]:
            if getattr(settings, group) is not None:
                raise ConfigError(
                    f"{group} is a setting of stage 2, but experiment={settings.name} runs stage 1,"
                    f" which would ignore it. Leave {group} out, or run experiment=stage2."
                )
    elif settings.backbone is not None or settings.decoder is not None:
        raise ConfigError(
            "backbone and decoder are settings of stage 1; stage 2 takes the network that its "
            "checkpoint describes. Leave them out, or name another stage-1 run with checkpoint=."
        )


def _check_devices(settings: Settings) -> None:
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
    if strategy == "fsdp" and settings.task == NOVEL_ADAPTATION:
        raise ConfigError(
            "strategy=fsdp shards training; stage 2 trains no network. Use strategy=ddp to share "
            "the query tiles over several devices."
        )


def _check_loggers(settings: Settings) -> None:
    modes = ("auto", "online", "offline", "disabled")
    if settings.logger.mode not in modes:
        raise ConfigError(f"logger.mode is '{settings.logger.mode}'; choose {', '.join(modes)}.")


def _check_metric(settings: Settings, taxonomy: Taxonomy) -> None:
    name = settings.optimized_metric
    if settings.task == BASE_SEGMENTATION:
        classes = taxonomy.base_only().names
        known = ["val/loss", "val/base_miou", "val/mean_miou", "val/pixel_accuracy"]
        known += [f"val/iou/{c}" for c in classes]
        if settings.callbacks.monitor not in known:
            raise ConfigError(
                f"callbacks.monitor is '{settings.callbacks.monitor}', but stage 1 logs "
                f"{', '.join(known)}."
            )
    else:
        scores = ["base", "novel", "weighted", "mean", "harmonic"]
        known = [f"test/{s}_miou" for s in scores]
        known += ["test/pixel_accuracy", *(f"test/iou/{c}" for c in taxonomy.names)]
    if name is not None and name not in known:
        raise ConfigError(
            f"optimized_metric is '{name}', but this run measures {', '.join(known)}."
        )
