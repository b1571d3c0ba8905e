"""Optimizer and learning-rate schedule of the training tasks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.optim.lars import Lars
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from terrashot.errors import ConfigError


@dataclass(frozen=True)
class OptimizationPlan:
    """Plain numbers for the optimizer and the schedule; checked when made.

    Args:
        optimizer: ``adamw``, ``sgd`` or ``lars``.
        lr: learning rate of decoder and head.
        encoder_lr: learning rate of the encoder.
        weight_decay: for weights; norms and biases have none, unless ``decay_all``.
        momentum: SGD's momentum, AdamW's beta1.
        scheduler: ``cosine``, ``poly`` (power 0.9), ``constant``, ``cosine_restarts`` or ``step``.
        warmup_fraction: share of all steps in which the rate rises linearly to its value.
        min_lr: where the schedule ends, the same for encoder and decoder. A rate that starts below
            it rises, as in the published stage 1 of ClassTrans.
        warmup_start: share of the rate that the warm-up starts at.
        restart_interval: of ``cosine_restarts``: the rate falls for this share of the steps after
            the warm-up, then rises and falls again.
        lars_norms: LARS also scales the steps of norms and biases.
        nesterov: SGD looks ahead along its momentum.
        decay_all: norms and biases decay too, as in the published stage 1 of ClassTrans.
        step_interval: of ``step``: the rate is multiplied by ``step_factor`` each time this share
            of the steps after the warm-up has passed; above 1: never.
        step_factor: see ``step_interval``.
    """

    optimizer: str
    lr: float
    encoder_lr: float
    weight_decay: float
    momentum: float
    scheduler: str
    warmup_fraction: float
    min_lr: float
    warmup_start: float = 0.0
    restart_interval: float = 0.334
    lars_norms: bool = False
    nesterov: bool = True
    decay_all: bool = False
    step_interval: float = 1.0
    step_factor: float = 0.5

    def __post_init__(self) -> None:
        """Check the names and ranges.

        Raises:
            ConfigError: a name is unknown or a number is out of its range.
        """
        if self.optimizer not in _OPTIMIZER_NAMES:
            raise ConfigError(_unknown("optimizer.name", self.optimizer, _OPTIMIZER_NAMES))
        if self.scheduler not in _DECAYS:
            raise ConfigError(_unknown("scheduler.name", self.scheduler, list(_DECAYS)))
        for key, low, high in [
            ("lr", 0.0, math.inf),
            ("encoder_lr", 0.0, math.inf),
            ("weight_decay", 0.0, math.inf),
            ("momentum", 0.0, 1.0),
            ("warmup_fraction", 0.0, 1.0),
            ("min_lr", 0.0, math.inf),
            ("warmup_start", 0.0, 1.0),
            ("restart_interval", 1e-3, 1.0),
            ("step_factor", 1e-6, 1.0),
        ]:
            value = getattr(self, key)
            if not low <= value <= high:
                group = "scheduler" if key in _OF_SCHEDULER else "optimizer"
                raise ConfigError(
                    f"{group}.{key} is {value}, but it must lie between {low:g} and {high:g}."
                )

    def build_optimizer(self, encoder: nn.Module, rest: list[nn.Module]) -> Optimizer:
        """Every trainable parameter in exactly one of up to four groups.

        The groups are encoder or rest, with or without weight decay.
        """
        groups: list[dict[str, Any]] = []
        for modules, lr in [([encoder], self.encoder_lr), (rest, self.lr)]:
            parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
            # One-dimensional parameters are norms and biases: decay would only shrink their scale.
            unscaled = self.weight_decay if self.decay_all else 0.0
            for chosen, decay in [
                ([p for p in parameters if p.ndim > 1], self.weight_decay),
                ([p for p in parameters if p.ndim <= 1], unscaled),
            ]:
                if chosen:
                    groups.append({"params": chosen, "lr": lr, "weight_decay": decay})
        if self.optimizer == "lars":
            return Lars(groups, momentum=self.momentum, always_adapt=self.lars_norms)
        if self.optimizer == "sgd":
            nesterov = self.nesterov and self.momentum > 0
            return SGD(groups, momentum=self.momentum, nesterov=nesterov)
        return AdamW(groups, betas=(self.momentum, 0.999))

    def build_schedule(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        """A schedule over ``steps`` optimizer steps."""
        warmup = round(self.warmup_fraction * steps)
        decay = _DECAYS[self.scheduler]
        if self.scheduler == "cosine_restarts":
            decay = partial(_cosine_restarts, interval=self.restart_interval)
        elif self.scheduler == "step":
            decay = partial(_step, interval=self.step_interval, factor=self.step_factor)
        return WarmupSchedule(optimizer, steps, warmup, self.min_lr, decay, self.warmup_start)


class WarmupSchedule(LRScheduler):
    """A linear warm-up, then ``decay(progress)`` between each group's own rate and ``min_lr``."""

    def __init__(
        self,
        optimizer: Optimizer,
        steps: int,
        warmup: int,
        min_lr: float,
        decay: Callable[[float], float] | None,
        warmup_start: float = 0.0,
    ) -> None:
        self.steps, self.warmup, self.min_lr, self.decay = steps, warmup, min_lr, decay
        self.warmup_start = warmup_start
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Any]:
        """The rate of each group at the current step."""
        step = self.last_epoch
        if step < self.warmup:
            # From 0, the first step would do nothing: it already takes its part of the rise.
            rise = step / self.warmup if self.warmup_start else (step + 1) / self.warmup
            share = self.warmup_start + (1 - self.warmup_start) * rise
            return [lr * share for lr in self.base_lrs]
        if self.decay is None:
            return list(self.base_lrs)
        share = self.decay(min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup)))
        return [self.min_lr + (lr - self.min_lr) * share for lr in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands; plain values, so that a checkpoint loads ``weights_only``."""
        return {"last_epoch": self.last_epoch, "_last_lr": [float(r) for r in self._last_lr]}


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def _poly(progress: float) -> float:
    return float((1 - progress) ** 0.9)


def _cosine_restarts(progress: float, interval: float) -> float:
    """Cosine waves whose crests sink, as the published FALSE was trained.

    The first crest is already lowered, so the rate jumps down after the warm-up.
    """
    crest = 1 + math.floor((progress / interval + 1) / 2)
    top = 0.5 * (1 + math.cos(math.pi * interval * crest))
    return top * 0.5 * (1 + math.cos(math.pi * progress / interval))


def _step(progress: float, interval: float, factor: float) -> float:
    # Rounding must not put a step off: 25 of 50 epochs are half of them.
    return float(factor ** math.floor(progress / interval + 1e-9))


_OPTIMIZER_NAMES = ["adamw", "sgd", "lars"]
_DECAYS: dict[str, Callable[[float], float] | None] = {
    "cosine": _cosine,
    "poly": _poly,
    "constant": None,
    "cosine_restarts": None,  # built with its interval
    "step": None,
}
_OF_SCHEDULER = ("warmup_fraction", "min_lr", "warmup_start", "restart_interval", "step_factor")


def _unknown(key: str, value: str, choices: list[str]) -> str:
    return f"{key} is '{value}', but it must be one of {', '.join(choices)}."
