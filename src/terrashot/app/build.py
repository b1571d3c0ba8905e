"""From settings to objects: everything is built once, here."""

from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy

from terrashot.adaptation.objective.transduction import Transduction
from terrashot.app.hardware import resolve_accelerator, resolve_precision
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import DataSettings, Settings
from terrashot.app.sim_net_checkpoint import part_config
from terrashot.callbacks.checkpoint_io import AtomicCheckpointIO
from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.feature_cache import FeatureCache
from terrashot.data.transforms import TrainTransform
from terrashot.demo import make_demo
from terrashot.errors import ConfigError, TerrashotError
from terrashot.files import file_digest
from terrashot.papers.sg_one.guidance.guided_method import GuidedMethod
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.taxonomy import Taxonomy

_T = TypeVar("_T")


def build_part(group: str, config: dict[str, Any] | None, **extra: Any) -> Any:  # noqa: ANN401
    """Build the object that a group's ``_target_`` names; None where the group is null.

    Raises:
        ConfigError: an option that the class does not know, or a value that it refuses.
    """
    if config is None:
        return None
    try:
        return instantiate(config, _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, TerrashotError):
            raise cause from error
        raise ConfigError(
            f"{group}: {config.get('_target_')} can't be built from its settings "
            f"({' '.join(str(cause or error).split())}). Compare them with configs/{group}/."
        ) from error


def build_method(settings: Settings) -> Any:  # noqa: ANN401 - what the method's _target_ names
    """The stage-2 method with its parts, guided where that is asked for."""
    parts = {
        group: build_part(group, part_config(settings, group))
        for group in [
            "similarity",
            "transition",
            "loss",
            "transduction",
            "solver",
            "support_weighting",
        ]
    }
    method = build_part("method", settings.method, **parts)
    guidance = build_part("guidance", settings.guidance)
    return method if guidance is None else GuidedMethod(method, guidance)


def uses_query(settings: Settings) -> bool:
    """Whether unlabelled pixels have a say in the head of stage 2."""
    transduction: Transduction | None = build_part("transduction", settings.transduction)
    return transduction is not None and transduction.uses_query


def build_data(settings: Settings) -> FewShotDataModule:
    """The data module; the demo set is made in ``prepare_data`` where it is missing."""
    return FewShotDataModule(**data_options(settings))


def data_options(settings: Settings) -> dict[str, Any]:
    """What a data module is made from, the augmentation of labelled tiles included."""
    transform = None
    if settings.augmentation:
        transform = build_transform(TrainTransform, settings, "default")
    return {"train_transform": transform, **tile_options(settings)}


def build_transform(kind: type[_T], settings: Settings, example: str) -> _T:
    """Build the augmentation from its group; ``example`` names an option with the same settings.

    Raises:
        ConfigError: a setting that ``kind`` does not know, or a value that it refuses.
    """
    try:
        return kind(**settings.augmentation)
    except TypeError as error:
        raise ConfigError(
            f"augmentation: {error}. Compare its settings with configs/augmentation/{example}.yaml."
        ) from error


def tile_options(settings: Settings) -> dict[str, Any]:
    """What every data module is made from, whatever it makes of the tiles."""
    data: DataSettings = settings.data
    maker = None
    if data.demo_seed is not None:
        maker = partial(make_demo, Path(data.root), data.demo_seed)
    return {
        "root": data.root,
        "taxonomy": Taxonomy.from_dict(data.taxonomy),
        "split": data.split,
        "hint": data.hint,
        "eval_size": data.eval_size,
        "batch_size": data.batch_size,
        "eval_batch_size": data.eval_batch_size,
        "num_workers": data.num_workers,
        "pin_memory": data.pin_memory,
        "cache": data.cache,
        "seed": settings.seed,
        "maker": maker,
        "support_draw": data.support_draw,
        "train_share": data.train_share,
    }


def build_feature_cache(settings: Settings, checkpoint: Path, stride: int) -> FeatureCache | None:
    """The cache for features of this checkpoint; None where ``adaptation.feature_cache`` is 0."""
    limit = settings.adaptation.feature_cache
    if not limit:
        return None
    accelerator = resolve_accelerator(settings.trainer.accelerator)
    context = {
        "checkpoint": file_digest(checkpoint),
        "eval_size": settings.data.eval_size,
        "stride": stride,
        # Kernels of another device or version give other last digits.
        "precision": resolve_precision(settings.trainer.precision, accelerator),
        "device": torch.cuda.get_device_name() if accelerator == "cuda" else accelerator,
        "torch": torch.__version__,
    }
    return FeatureCache(Path(settings.paths.feature_cache), limit * 1e9, context)


def build_plan(settings: Settings) -> OptimizationPlan:
    """Optimizer and schedule as checked plain numbers."""
    optimizer, scheduler = settings.optimizer, settings.scheduler
    assert optimizer is not None
    assert scheduler is not None
    scale = 1.0
    if optimizer.lr_batch is not None:  # the linear scaling rule
        batch = settings.data.batch_size * settings.trainer.accumulate_grad_batches
        scale = batch * settings.processes / optimizer.lr_batch
    encoder_lr = optimizer.encoder_lr
    if encoder_lr is None:
        # Large steps would undo what pretraining has learned; random weights have nothing to lose.
        pretrained = bool((settings.backbone or {}).get("weights"))
        encoder_lr = optimizer.lr / 10 if pretrained else optimizer.lr
    return OptimizationPlan(
        optimizer=optimizer.name,
        lr=scale * optimizer.lr,
        encoder_lr=scale * encoder_lr,
        weight_decay=optimizer.weight_decay,
        momentum=optimizer.momentum,
        scheduler=scheduler.name,
        warmup_fraction=scheduler.warmup_fraction,
        min_lr=scheduler.min_lr,
        warmup_start=scheduler.warmup_start,
        restart_interval=scheduler.restart_interval,
        lars_norms=optimizer.lars_norms,
    )


def build_checkpoint_callbacks(settings: Settings, folder: RunFolder) -> list[Callback]:
    """best.ckpt by the monitored metric, last.ckpt after every epoch, early stopping if asked."""
    monitor = settings.callbacks.monitor
    mode = "min" if monitor.endswith("loss") else "max"
    callbacks: list[Callback] = [
        ModelCheckpoint(
            dirpath=folder.checkpoints,
            filename="best",
            monitor=monitor,
            mode=mode,
            save_weights_only=True,  # stage 2 needs no optimizer state
            enable_version_counter=False,
            auto_insert_metric_name=False,
        ),
        last_checkpoint(folder),
    ]
    patience = settings.callbacks.early_stopping_patience
    if patience is not None:
        callbacks.append(EarlyStopping(monitor=monitor, mode=mode, patience=patience))
    return callbacks


def last_checkpoint(folder: RunFolder) -> ModelCheckpoint:
    """last.ckpt after every epoch, with everything that a resumed run needs."""
    return ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


def build_trainer(
    settings: Settings, folder: RunFolder, loggers: list[Logger], callbacks: list[Callback]
) -> Trainer:
    """The trainer of either task."""
    trainer = settings.trainer
    accelerator = resolve_accelerator(trainer.accelerator)
    # Lightning moves these to the device itself; the fastest convolution is sought once a shape.
    benchmark = accelerator == "cuda" and not trainer.deterministic
    training = any(isinstance(c, ModelCheckpoint) for c in callbacks)
    return Trainer(
        accelerator=accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=_strategy(settings, accelerator),
        precision=resolve_precision(trainer.precision, accelerator),  # type: ignore[arg-type]
        logger=loggers or False,
        callbacks=callbacks,
        max_epochs=trainer.max_epochs,
        limit_train_batches=_limit(trainer.limit_train_batches),
        limit_val_batches=_limit(trainer.limit_val_batches),
        limit_test_batches=_limit(trainer.limit_test_batches),
        num_sanity_val_steps=0,
        check_val_every_n_epoch=trainer.check_val_every_n_epoch,
        log_every_n_steps=trainer.log_every_n_steps,
        enable_checkpointing=training,
        enable_model_summary=False,
        accumulate_grad_batches=trainer.accumulate_grad_batches,
        gradient_clip_val=trainer.gradient_clip_val,
        deterministic="warn" if trainer.deterministic else None,
        benchmark=benchmark,
        inference_mode=False,  # stage 2 computes gradients while it evaluates
        use_distributed_sampler=False,  # ours neither repeats a query nor forgets an epoch's seed
        plugins=[AtomicCheckpointIO()] if settings.strategy.name != "fsdp" else None,
        sync_batchnorm=settings.strategy.sync_batchnorm and accelerator == "cuda",
        default_root_dir=folder.path,
    )


def _strategy(settings: Settings, accelerator: str) -> str | Strategy:
    if settings.strategy.name == "ddp":
        backend = "nccl" if accelerator == "cuda" else "gloo"
        return DDPStrategy(process_group_backend=backend, gradient_as_bucket_view=True)
    if settings.strategy.name == "fsdp":
        # One whole checkpoint file, as the other strategies write it.
        return FSDPStrategy(state_dict_type="full")
    return "auto"


def _limit(value: float) -> int | float:
    """A whole number above 1 is a count of batches, 1.0 and below a share."""
    return int(value) if value > 1 else float(value)
