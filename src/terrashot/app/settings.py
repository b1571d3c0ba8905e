"""The configuration as typed plain values: unknown keys and wrong types are found here."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class PathSettings:
    """``configs/paths``."""

    data: str = MISSING
    logs: str = MISSING
    run_folder: str | None = None
    feature_cache: str = MISSING


@dataclass
class DataSettings:
    """``configs/data``: one dataset in the few-shot layout."""

    name: str = MISSING
    root: str = MISSING
    split: str = "test"
    hint: str = ""
    support_draw: int | None = None
    train_share: float = 1.0
    demo_seed: int | None = None
    eval_size: int | None = None
    crop: int = 256
    window: int = 64
    no_windows: list[str] = field(default_factory=list)
    batch_size: int = 8
    eval_batch_size: int = 1
    epochs: int = 30
    feature_stride: int | None = None
    cache: Any = "auto"
    num_workers: int | None = None
    pin_memory: bool | None = None
    mean: list[float] = MISSING
    std: list[float] = MISSING
    taxonomy: dict[str, Any] = MISSING
    novel_sets: dict[str, Any] | None = None


@dataclass
class OptimizerSettings:
    """``configs/optimizer``."""

    name: str = MISSING
    lr: float = MISSING
    lr_batch: int | None = None
    encoder_lr: float | None = None
    weight_decay: float = 0.0
    momentum: float = 0.9
    lars_norms: bool = False


@dataclass
class SchedulerSettings:
    """``configs/scheduler``."""

    name: str = MISSING
    warmup_fraction: float = 0.0
    warmup_start: float = 0.0
    min_lr: float = 0.0
    restart_interval: float = 0.334


@dataclass
class TrainerSettings:
    """``configs/trainer``."""

    max_epochs: int = MISSING
    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    precision: str = "auto"
    accumulate_grad_batches: int = 1
    gradient_clip_val: float | None = None
    check_val_every_n_epoch: int = 1
    limit_train_batches: float = 1.0
    limit_val_batches: float = 1.0
    limit_test_batches: float = 1.0
    log_every_n_steps: int = 10
    deterministic: bool = False
    compile: bool = False


@dataclass
class StrategySettings:
    """``configs/strategy``."""

    name: str = "single"
    sync_batchnorm: bool = False


@dataclass
class CallbackSettings:
    """``configs/callbacks``."""

    monitor: str = "val/base_miou"
    panels: int = 8
    early_stopping_patience: int | None = None


@dataclass
class LoggerSettings:
    """``configs/logger``."""

    csv: bool = True
    wandb: bool = True
    tensorboard: bool = False
    project: str = "terrashot"
    mode: str = "auto"


@dataclass
class AdaptationSettings:
    """``adaptation``: what holds for every stage-2 method."""

    feature_stride: int | None = None
    align_corners: bool = False
    panels: int = 8
    feature_cache: float | None = 20.0
    queries_per_pass: int = 4
    storage: str = "float32"
    save_maps: bool = False
    joint: dict[str, Any] | None = None
    base_weight: float = 0.4
    novel_weight: float = 0.6


@dataclass
class InputSettings:
    """``input``: scenes to map, or to learn from; ``input=PATH`` sets the path."""

    path: str | None = None
    bands: list[int] | None = None
    scale: Any = None


@dataclass
class OutputSettings:
    """``output``: the maps; ``output=FOLDER`` sets the path."""

    path: str | None = None
    confidence: bool = False
    probabilities: list[str] = field(default_factory=list)
    picture: bool = True
    style: bool = True
    areas: bool = True
    polygons: bool = False
    minimum_mapping_unit: float | None = None


@dataclass
class MappingSettings:
    """``configs/mapping``: how scenes are cut into windows and put together again."""

    window: int = 1024
    overlap: int = 256
    norm_side: int | None = 256
    views: str = "plain"
    batch_size: int = 1
    ahead: int = 4


@dataclass
class AdaptSettings:
    """``adapt``: one head for all maps; see experiment=adapt."""

    sample: int = 64
    window: int = 512
    pixels: int = 65536
    evaluate: bool = True


@dataclass
class EpisodeSettings:
    """``configs/episodes``: the episodes of SG-One."""

    per_epoch: int = MISSING
    validation: int = MISSING
    evaluation: int = MISSING
    seed: int = 0
    min_pixels: int = 1024
    max_foreground: float = 0.9
    zero_as_background: bool = False
    guidance_channels: int = 128
    shot_fusion: str = "avg"
    tau: float = 0.5
    trained: str | None = None


@dataclass
class UnitSettings:
    """``configs/units``: what SimNet compares, and how it is trained."""

    kind: str = MISSING
    head: str = "4"
    symmetric: bool = False
    batch_size: int = 40
    classes: int = 20
    novel_classes: int = 2
    beta: float = 0.0
    warm_up: bool = False
    similar_weight: Any = None
    across_tiles: bool = False
    held_out: list[str] | None = None
    val_per_class: int = 64
    per_tile: int = 64


@dataclass
class WeakShotSettings:
    """``configs/weak_shot``: training on noisy novel windows."""

    classes: str = "all"
    base_windows: int = 150
    weights: dict[str, Any] = field(default_factory=dict)
    alpha: float = 0.0
    mu: float = -4.0
    graph: str = "distance"
    normalise: bool = True
    same_label: bool = False
    schedule: str = "joint"
    batch_size: int = 32
    graph_batch_size: int = 128
    simnet: str | None = None


@dataclass
class PretrainingSettings:
    """``configs/pretraining``: windows, head and probe of contrastive pretraining."""

    window: int = MISSING
    view: int = MISSING
    windows_per_tile: int = 1
    min_valid: float = 0.9
    one_window_per_tile: bool = True
    transductive: bool = False
    head_hidden: int | None = None
    head_dim: int = 128
    head_relu: bool = True
    probe_windows: int = 8
    probe_neighbours: int = 20


@dataclass
class SweepSettings:
    """``sweep``: what a multirun goes through and how it is taken up again."""

    grid: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False
    job: str | None = None


@dataclass
class Settings:
    """A whole run. Groups built from ``_target_`` stay plain dictionaries."""

    name: str = MISSING
    task: str = MISSING
    seed: int = 0
    checkpoint: str | None = None
    resume: str | None = None
    optimized_metric: str | None = None
    print_config: bool = False
    tags: list[str] = field(default_factory=list)
    paths: PathSettings = field(default_factory=PathSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augmentation: dict[str, Any] = field(default_factory=dict)
    backbone: dict[str, Any] | None = None
    decoder: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    optimizer: OptimizerSettings | None = None
    scheduler: SchedulerSettings | None = None
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    strategy: StrategySettings = field(default_factory=StrategySettings)
    callbacks: CallbackSettings = field(default_factory=CallbackSettings)
    logger: LoggerSettings = field(default_factory=LoggerSettings)
    similarity: dict[str, Any] | None = None
    transition: dict[str, Any] | None = None
    transduction: dict[str, Any] | None = None
    solver: dict[str, Any] | None = None
    method: dict[str, Any] | None = None
    inference: dict[str, Any] | None = None
    guidance: dict[str, Any] | None = None
    episodes: EpisodeSettings | None = None
    postprocess: dict[str, Any] | None = None
    support_weighting: dict[str, Any] | None = None
    units: UnitSettings | None = None
    noise: dict[str, Any] | None = None
    weak_shot: WeakShotSettings | None = None
    pretraining: PretrainingSettings | None = None
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
    input: InputSettings = field(default_factory=InputSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    mapping: MappingSettings | None = None
    adapt: AdaptSettings = field(default_factory=AdaptSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)

    @property
    def processes(self) -> int:
        """Training processes in all: devices times nodes."""
        return self.trainer.devices * self.trainer.num_nodes
