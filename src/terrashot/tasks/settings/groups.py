"""The groups of ``configs/`` beside the data, as far as several tasks read them."""

from dataclasses import dataclass, field
from typing import Any

from terrashot.networks.features import DECODER, FEATURES
from terrashot.tasks.settings.field import REQUIRED, setting


@dataclass
class PathSettings:
    """``configs/paths``."""

    data: str = setting(REQUIRED, path=True)
    logs: str = setting(REQUIRED, path=True)
    masks: str | None = setting(None, path=True)
    run_folder: str | None = setting(None, path=True)
    feature_cache: str = setting(REQUIRED, path=True)


@dataclass
class OptimizerSettings:
    """``configs/optimizer``."""

    name: str = REQUIRED
    lr: float = setting(REQUIRED, above=0)
    lr_batch: int | None = setting(None, at_least=1)
    encoder_lr: float | None = setting(None, at_least=0)
    weight_decay: float = setting(0.0, at_least=0)
    momentum: float = setting(0.9, at_least=0, below=1)
    lars_norms: bool = False
    nesterov: bool = True
    decay_all: bool = False


@dataclass
class SchedulerSettings:
    """``configs/scheduler``."""

    name: str = REQUIRED
    warmup_fraction: float = setting(0.0, at_least=0, below=1)
    warmup_start: float = setting(0.0, at_least=0, at_most=1)
    min_lr: float = setting(0.0, at_least=0)
    restart_interval: float = setting(0.334, above=0, at_most=1)
    step_epochs: int = setting(20, at_least=1)
    step_factor: float = setting(0.5, above=0, at_most=1)


@dataclass
class DeviceSettings:
    """``configs/trainer``, as far as it concerns a task that trains no network."""

    accelerator: str = setting("auto", neutral=True)
    devices: int = setting(1, at_least=1, neutral=True)
    num_nodes: int = setting(1, at_least=1, neutral=True)
    precision: str = "auto"


@dataclass
class EvaluationDevices(DeviceSettings):
    """The same for one that scores query tiles."""

    limit_test_batches: float = setting(1.0, above=0)
    log_every_n_steps: int = setting(10, at_least=1)
    deterministic: bool = False


@dataclass
class TrainerSettings(EvaluationDevices):
    """``configs/trainer``, whole."""

    max_epochs: int = setting(REQUIRED, at_least=1)
    accumulate_grad_batches: int = setting(1, at_least=1)
    gradient_clip_val: float | None = setting(None, above=0)
    check_val_every_n_epoch: int = setting(1, at_least=1)
    limit_train_batches: float = setting(1.0, above=0)
    limit_val_batches: float = setting(1.0, at_least=0)
    compile: bool = False


@dataclass
class StrategySettings:
    """``configs/strategy``, as far as it concerns a task that trains no network."""

    name: str = setting("single", choices=("single", "ddp", "fsdp"), neutral=True)


@dataclass
class TrainingStrategy(StrategySettings):
    """``configs/strategy``, whole."""

    sync_batchnorm: bool = setting(False, neutral=True)


@dataclass
class WatchedTraining:
    """``configs/callbacks``: the metric that a training is judged by, and pictures."""

    monitor: str = "val/base_miou"
    panels: int = setting(8, at_least=0, neutral=True)


@dataclass
class CallbackSettings(WatchedTraining):
    """The same where training may stop early."""

    early_stopping_patience: int | None = setting(None, at_least=1)


@dataclass
class AveragedTraining(CallbackSettings):
    """The same where the weights may be averaged."""

    ema_decay: float | None = setting(None, above=0, below=1)


@dataclass
class LoggerSettings:
    """``configs/logger``."""

    csv: bool = True
    wandb: bool = True
    tensorboard: bool = False
    project: str = "terrashot"
    mode: str = setting("auto", choices=("auto", "online", "offline", "disabled"))


@dataclass
class AdaptationSettings:
    """``configs/adaptation``: what holds for every stage-2 method."""

    features: str = setting(DECODER, choices=FEATURES)
    feature_stride: int | None = setting(None, at_least=1)
    align_corners: bool | None = None
    panels: int = setting(8, at_least=0, neutral=True)
    feature_cache: float | None = setting(
        20.0, at_least=0, neutral=True, why="a size in GB: 20 for example, or 0 for no cache"
    )
    queries_per_pass: int = setting(4, at_least=1)
    storage: str = setting("float32", choices=("float32", "bfloat16", "float64"))
    save_maps: bool = setting(False, neutral=True)
    joint: dict[str, Any] | None = None
    base_weight: float = setting(0.4, at_least=0)
    novel_weight: float = setting(0.6, at_least=0)


@dataclass
class SecondSettings:
    """``adaptation.second``: an encoder whose stages stand beside the network's own maps."""

    name: str | None = None
    weights: Any = setting(None, path=("",))


@dataclass
class StageTwoAdaptation(AdaptationSettings):
    """The same for the tasks that adapt a network's head, and may widen its features first."""

    second: SecondSettings = field(default_factory=SecondSettings)
    balance: bool = False


@dataclass
class SweepSettings:
    """``sweep``: what a multirun goes through and how it is taken up again."""

    grid: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False
    job: str | None = None
