"""From settings to the trainer and what else every run is made of."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy

from terrashot.app.run.launch import Launch
from terrashot.callbacks.checkpoint_io import AtomicCheckpointIO
from terrashot.data.feature_cache import FeatureCache
from terrashot.demo import make_demo
from terrashot.errors import ConfigError
from terrashot.files import file_digest
from terrashot.image_spec import ImageSpec
from terrashot.model.precision import resolve_precision
from terrashot.networks.features import DECODER
from terrashot.networks.second_encoder import SecondEncoder
from terrashot.networks.segmenter import Segmenter
from terrashot.tasks.of_data import taxonomy_of
from terrashot.tasks.optimization import OptimizationPlan
from terrashot.tasks.settings.data import TrainingData
from terrashot.tasks.settings.groups import TrainerSettings, TrainingStrategy
from terrashot.tasks.settings.runs import OptimizedSettings, RunSettings, TileSettings


def loader_options(settings: TileSettings) -> dict[str, Any]:
    """What every loader of a run is made with."""
    data = settings.data
    trained = {"batch_size": data.batch_size} if isinstance(data, TrainingData) else {}
    return {
        "eval_batch_size": data.eval_batch_size,
        "num_workers": data.num_workers,
        "pin_memory": data.pin_memory,
        "seed": settings.seed,
        **trained,
    }


def tile_options(settings: TileSettings, spec: ImageSpec) -> dict[str, Any]:
    """What every data module is made from, whatever it makes of the tiles.

    The demo set is made in ``prepare_data`` where it is missing.

    Args:
        settings: Of the run.
        spec: The channels of the images.
    """
    data, taxonomy = settings.data, taxonomy_of(settings)
    maker = None
    if data.demo_seed is not None:
        maker = partial(make_demo, Path(data.root), data.demo_seed)
    return {
        **loader_options(settings),
        "root": data.root,
        "taxonomy": taxonomy,
        "open_layout": partial(data.open_layout, taxonomy),
        "split": data.split,
        "hint": data.hint,
        "eval_size": data.eval_size,
        "eval_nearest": data.eval_nearest,
        "cache": data.cache,
        "maker": maker,
        "support_draw": data.support_draw,
        "train_share": data.train_share,
        "spec": spec,
        "labels": data.labels,
    }


def build_feature_cache(
    settings: TileSettings, checkpoint: Path, segmenter: Segmenter
) -> FeatureCache | None:
    """The cache for features of this checkpoint; None where ``adaptation.feature_cache`` is 0."""
    adaptation = getattr(settings, "adaptation", None)
    if adaptation is None or not adaptation.feature_cache:
        return None
    accelerator = resolve_accelerator(settings.trainer.accelerator)
    context = {
        "checkpoint": file_digest(checkpoint),
        "eval_size": settings.data.eval_size,
        **({"bands": settings.data.bands} if settings.data.bands else {}),
        "stride": segmenter.stride,
        "features": segmenter.description.get("features", DECODER),
        **_second(segmenter),
        # Kernels of another device or version give other last digits.
        "precision": resolve_precision(settings.trainer.precision, accelerator),
        "device": torch.cuda.get_device_name() if accelerator == "cuda" else accelerator,
        "torch": torch.__version__,
    }
    limit = adaptation.feature_cache * 1e9
    return FeatureCache(Path(settings.paths.feature_cache), limit, context)


def _second(segmenter: Segmenter) -> dict[str, Any]:
    """What says which second encoder features were made with, if any: its weights too."""
    second = segmenter.second
    return {"second": second.digest()} if isinstance(second, SecondEncoder) else {}


def build_plan(settings: OptimizedSettings) -> OptimizationPlan:
    """Optimizer and schedule as checked plain numbers."""
    optimizer, scheduler = settings.optimizer, settings.scheduler
    scale = 1.0
    if optimizer.lr_batch is not None:  # the linear scaling rule
        if not isinstance(settings.data, TrainingData):
            raise ConfigError(
                f"optimizer.lr_batch is {optimizer.lr_batch}, but on data.kind="
                f"{settings.data.kind} a batch is no setting of the data. Set it to null, and "
                "optimizer.lr to the rate of the run."
            )
        batch = settings.data.batch_size * settings.trainer.accumulate_grad_batches
        scale = batch * settings.processes / optimizer.lr_batch
    encoder_lr = optimizer.encoder_lr
    if encoder_lr is None:
        # Large steps would undo what pretraining has learned; random weights have nothing to lose.
        pretrained = bool((getattr(settings, "backbone", None) or {}).get("weights"))
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
        nesterov=optimizer.nesterov,
        decay_all=optimizer.decay_all,
        step_interval=scheduler.step_epochs / settings.trainer.max_epochs,
        step_factor=scheduler.step_factor,
    )


def checkpoint_callbacks(settings: RunSettings, folder: Path, best: bool) -> list[Callback]:
    """last.ckpt after every epoch, best.ckpt by the monitored metric, early stopping if asked.

    Args:
        settings: Of the run.
        folder: Where to.
        best: Whether ``callbacks.monitor`` chooses a checkpoint.
    """
    # After the epoch's validation, with everything that a resumed run needs.
    last = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )
    if not best:
        return [last]
    watched = settings.callbacks  # type: ignore[attr-defined] # a task that keeps a best one has it
    mode = "min" if watched.monitor.endswith("loss") else "max"
    callbacks: list[Callback] = [
        ModelCheckpoint(
            dirpath=folder,
            filename="best",
            monitor=watched.monitor,
            mode=mode,
            save_weights_only=True,  # stage 2 needs no optimizer state
            enable_version_counter=False,
            auto_insert_metric_name=False,
        ),
        last,
    ]
    patience = getattr(watched, "early_stopping_patience", None)
    if patience is not None:
        callbacks.append(EarlyStopping(monitor=watched.monitor, mode=mode, patience=patience))
    return callbacks


def build_trainer(
    settings: RunSettings, folder: Path, loggers: list[Logger], callbacks: list[Callback]
) -> Trainer:
    """The trainer of any task; what a task's settings lack stands at its default."""
    environment = Launch.of_process().environment()
    plugins: list[Any] = [] if environment is None else [environment]
    trainer = TrainerSettings(**{"max_epochs": 1, **vars(settings.trainer)})
    accelerator = resolve_accelerator(trainer.accelerator)
    strategy = settings.strategy
    synchronised = isinstance(strategy, TrainingStrategy) and strategy.sync_batchnorm
    return Trainer(
        accelerator=accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=_strategy(strategy.name, accelerator),
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
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        enable_model_summary=False,
        accumulate_grad_batches=trainer.accumulate_grad_batches,
        gradient_clip_val=trainer.gradient_clip_val,
        deterministic="warn" if trainer.deterministic else None,
        # Lightning moves data to the device itself; the fastest convolution is sought once a shape.
        benchmark=accelerator == "cuda" and not trainer.deterministic,
        inference_mode=False,  # stage 2 computes gradients while it evaluates
        use_distributed_sampler=False,  # ours neither repeats a query nor forgets an epoch's seed
        plugins=plugins + ([AtomicCheckpointIO()] if strategy.name != "fsdp" else []),
        sync_batchnorm=synchronised and accelerator == "cuda",
        default_root_dir=folder,
    )


def _strategy(name: str, accelerator: str) -> str | Strategy:
    if name == "ddp":
        backend = "nccl" if accelerator == "cuda" else "gloo"
        return DDPStrategy(process_group_backend=backend, gradient_as_bucket_view=True)
    if name == "fsdp":
        # One whole checkpoint file, as the other strategies write it.
        return FSDPStrategy(state_dict_type="full")
    return "auto"


def _limit(value: float) -> int | float:
    """A whole number above 1 is a count of batches, 1.0 and below a share."""
    return int(value) if value > 1 else float(value)


def resolve_accelerator(accelerator: str) -> str:
    """``auto`` becomes cuda, mps or cpu, whichever is there first; ``gpu`` the one at hand."""
    if accelerator == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu" if accelerator == "auto" else accelerator


def device_count(accelerator: str) -> int | None:
    """How many devices of this kind the machine has; None where any number of processes goes."""
    if accelerator == "cuda":
        return torch.cuda.device_count()
    return 1 if accelerator == "mps" else None
