"""The optimizer that SG-One was published with."""

from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import SGD, Optimizer

from terrashot.errors import ConfigError
from terrashot.papers.sg_one.network.network import SGOneNetwork

FAITHFUL = "sg_one_faithful"
_GUIDANCE_FACTOR, _BIAS_FACTOR = 10.0, 2.0


@dataclass(frozen=True)
class FaithfulPlan:
    """SGD at a constant rate; biases learn 2 times, the guidance convolution 10 times as fast.

    Source: the code of Zhang et al., "SG-One", 2018. Momentum 0.99 with one episode a batch is an
    effective rate of 100 lr; with larger batches take ``optimizer=adamw`` or momentum 0.9.

    Args:
        lr: Rate of the weights.
        weight_decay: Of all parameters, biases too.
        momentum: Without Nesterov's step.

    Raises:
        ConfigError: a number out of its range.
    """

    lr: float
    weight_decay: float
    momentum: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.lr < 0 or self.weight_decay < 0 or not 0 <= self.momentum < 1:
            raise ConfigError(
                f"optimizer: lr is {self.lr}, weight_decay {self.weight_decay} and momentum "
                f"{self.momentum}, but the first two must not be negative and momentum must lie "
                "from 0 up to 1. See configs/optimizer/sg_one_faithful.yaml."
            )

    def build_optimizer(self, network: SGOneNetwork) -> Optimizer:
        """Every parameter in exactly one of four groups; they are told by module, not by name."""
        guidance = {id(p) for p in network.guidance_head.parameters()}
        biases = {
            id(module.bias)
            for module in network.modules()
            if isinstance(getattr(module, "bias", None), nn.Parameter)
        }
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in network.parameters():
            kind = (id(parameter) in guidance, id(parameter) in biases)
            groups.setdefault(kind, []).append(parameter)
        settings: list[dict[str, Any]] = []
        for (is_guidance, is_bias), parameters in sorted(groups.items()):
            factor = _GUIDANCE_FACTOR if is_guidance else 1.0
            factor *= _BIAS_FACTOR if is_bias else 1.0
            settings.append({"params": parameters, "lr": factor * self.lr})
        return SGD(settings, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
