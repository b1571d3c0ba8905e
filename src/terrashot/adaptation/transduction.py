"""What stage 2 asks of the unlabelled query."""

from collections.abc import Sequence

from terrashot.errors import ConfigError


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

    Raises:
        ConfigError: an unknown choice or a negative weight.
    """

    def __init__(
        self,
        entropy: float = 0.0,
        kl: float = 0.0,
        distillation: float = 0.0,
        refresh_after: Sequence[int] = (),
        pi: str = "self",
        pi_gate: str = "kl",
        query_weights: str = "query_mask",
        query_logits: str = "full",
    ) -> None:
        self.entropy = _weight("entropy", entropy)
        self.kl = _weight("kl", kl)
        self.distillation = _weight("distillation", distillation)
        self.refresh_after = list(refresh_after)
        self.pi = _choice("pi", pi, "self", "uniform")
        self.pi_gate = _choice("pi_gate", pi_gate, "kl", "entropy")
        self.query_weights = _choice(
            "query_weights", query_weights, "query_mask", "support_validity"
        )
        self.query_logits = _choice("query_logits", query_logits, "full", "classification")

    @property
    def active(self) -> bool:
        """Whether the query has any say."""
        return self.entropy > 0 or self.kl > 0 or self.distillation > 0

    def refreshes(self, finished: int) -> bool:
        """Whether pi is taken anew after that many iterations."""
        gate = self.kl if self.pi_gate == "kl" else self.entropy
        return self.pi == "self" and gate > 0 and finished in self.refresh_after


def _weight(name: str, value: float) -> float:
    if not value >= 0:
        raise ConfigError(f"transduction.{name} is {value}, but a weight must be 0 or more.")
    return value


def _choice(name: str, value: str, *choices: str) -> str:
    if value not in choices:
        raise ConfigError(
            f"transduction.{name} is '{value}', but it must be one of {', '.join(choices)}. Set it "
            "on the command line or in the transduction config."
        )
    return value
