"""What stage 2 asks of the unlabelled query."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from terrashot.errors import ConfigError

_CHOICES = {
    "pi": ("self", "uniform"),
    "pi_gate": ("kl", "entropy"),
    "query_weights": ("query_mask", "support_validity"),
    "query_logits": ("full", "classification"),
}


@dataclass(frozen=True)
class Transduction:
    """Weights of the query losses and what they are computed on.

    Source: DIaM (Hajimiri et al., CVPR 2023) and ClassTrans, which swaps the middle two weights.

    Args:
        entropy: Weight of the mean entropy of a query pixel.
        kl: Weight of the divergence of the query's class shares from pi.
        distillation: Weight of the divergence from the frozen head, novel classes folded into
            background.
        refresh_after: pi is taken anew from the query after these many iterations.
        pi: ``self``: class shares predicted on the query; ``uniform``: 1/K.
        pi_gate: pi is refreshed only where this term has a weight (published: ``entropy``).
        query_weights: How much a query pixel counts: ``query_mask``, or as published the number of
            support tiles that are labelled at its place, ``support_validity``.
        query_logits: ``full``, or as published ``classification``: without the transition.
    """

    entropy: float = 0.0
    kl: float = 0.0
    distillation: float = 0.0
    refresh_after: Sequence[int] = field(default_factory=list)
    pi: str = "self"
    pi_gate: str = "kl"
    query_weights: str = "query_mask"
    query_logits: str = "full"

    def __post_init__(self) -> None:
        """Check the choices and weights."""
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"transduction.{name} is '{getattr(self, name)}', but it must be one of "
                    f"{', '.join(choices)}. Set it on the command line or in the transduction "
                    "config."
                )
        for name in ("entropy", "kl", "distillation"):
            if not getattr(self, name) >= 0:
                raise ConfigError(
                    f"transduction.{name} is {getattr(self, name)}, but a weight must be 0 or more."
                )

    @property
    def active(self) -> bool:
        """Whether the query has any say."""
        return self.entropy > 0 or self.kl > 0 or self.distillation > 0

    def refreshes(self, finished: int) -> bool:
        """Whether pi is taken anew after that many iterations."""
        gate = self.kl if self.pi_gate == "kl" else self.entropy
        return self.pi == "self" and gate > 0 and finished in self.refresh_after
