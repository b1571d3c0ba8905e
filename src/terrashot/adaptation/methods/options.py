"""Settings of adaptation by gradient descent."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from terrashot.errors import ConfigError
from terrashot.ranges import check_range

_CHOICES = {
    "start": ("similarity", "prototype", "zeros"),
    "start_mass": ("one", "per_novel"),
    "start_seed": ("shared", "query"),
    "support_label": ("folded", "partial"),
    "scaling": ("norm", "standardise"),
    "base_labels": ("supervise", "constant"),
    "on_divergence": ("raise", "warn"),
}

_LARGEST = 1e30
_RANGES = {
    "support_weight": (0.0, _LARGEST),
    "background_weight": (0.0, _LARGEST),
    "background_weight_one_shot": (0.0, _LARGEST),
    "background_distillation": (0.0, 1.0),
    "novel_in_background": (0.0, 1.0),
    "class_balance": (0.0, 1.0),
    "history_every": (0.0, _LARGEST),
}


@dataclass(frozen=True)
class GradientOptions:
    """Plain settings of ``GradientMethod``; where the published code is odd, both ways.

    Args:
        name: The method's name, for tables and messages.
        start: Novel head: from the ``similarity`` to base classes, the class ``prototype``
            (normalised mean feature), or ``zeros``.
        start_mass: Similarity columns sum to ``one``, or as published to 1/N: ``per_novel``.
        start_seed: The random start of the transition is ``shared`` by all queries, or as
            published each ``query`` draws its own.
        support_weight: Weight of the support loss.
        background_weight: Weight of a support pixel of label 0; novel ones weigh 1.
        background_weight_one_shot: The same with one support tile a class.
        support_label: Label 0 in a tile means any base class (``folded``, ClassTrans), or anything
            but the class that the tile was labelled for (``partial``).
        background_distillation: Share of the loss of a label-0 pixel that asks for what the frozen
            head says of it, instead of what its label rules out; keeps the base classes.
        novel_in_background: How readily the novel classes that the label allows may stand where
            the frozen head says background: 1 as readily as background itself, 0 not at all.
            Features that a class can't be told by leave such a pixel to background below 1.
        class_balance: Exponent g, 0 to 1: pixels of a novel class weigh ``(n_0 / n_c)^g``, counted
            in the tiles of the class, and all weights are brought to mean 1. 0: as the weights say.
        base_labels: A base label in the support is used (``supervise``), or as published adds a
            ``constant``.
        scaling: Features are brought to one length (``norm``, see ``reference_norm``), or each
            channel to mean 0 and deviation 1 over the support (``standardise``).
        reference_norm: Root mean square length that the features are brought to, so that step
            sizes mean the same for every network; None leaves them as they are.
        needs_query: The weights rely on what a query adds: without query losses it is refused.
        on_divergence: Logits that are not finite: ``raise`` an error or ``warn``.
        history_every: Loss terms are kept every so many iterations; 0 for never.
    """

    name: str = "gradient"
    start: str = "similarity"
    start_mass: str = "one"
    start_seed: str = "shared"
    support_weight: float = 1.0
    background_weight: float = 0.15
    background_weight_one_shot: float = 0.01
    support_label: str = "folded"
    background_distillation: float = 0.0
    novel_in_background: float = 1.0
    class_balance: float = 0.0
    base_labels: str = "supervise"
    scaling: str = "norm"
    reference_norm: float | None = None
    needs_query: bool = False
    on_divergence: str = "raise"
    history_every: int = 10

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GradientOptions":
        """Build from plain values.

        Raises:
            ConfigError: an unknown setting or a value out of its range.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigError(
                    f"method.{name} is no setting of adaptation by gradient descent. It has: "
                    f"{', '.join(known)}."
                )
        return cls(**values)

    def __post_init__(self) -> None:
        """Check the choices and ranges."""
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"method.{name} is '{getattr(self, name)}', but it must be one of "
                    f"{', '.join(choices)}."
                )
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                upper = f" and at most {high:g}" if high < _LARGEST else ""
                raise ConfigError(
                    f"method.{name} is {value!r}, but it must be a number, at least {low:g}{upper}."
                )
        norm = self.reference_norm
        if norm is not None:
            why = "or null, to leave the features as they are"
            check_range("method.reference_norm", norm, above=0, why=why)
