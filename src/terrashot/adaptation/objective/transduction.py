"""What stage 2 asks of the unlabelled query."""

from collections.abc import Sequence

from terrashot.errors import ConfigError
from terrashot.ranges import check_range


class Transduction:
    """Weights of the query losses and what they are computed on.

    Source: DIaM (Hajimiri et al., CVPR 2023) and ClassTrans, which swaps the middle two weights.

    Self-training and label shift are terrashot's additions.

    Args:
        entropy: Weight of the mean entropy of a query pixel.
        kl: Weight of the divergence of the query's class shares from pi.
        distillation: Weight of the divergence from the frozen head, novel classes folded into
            background.
        self_training: Weight of the cross entropy to the query's own confident labels. It has no
            say before the first refresh, when there is something to be confident about.
        confidence: Probability from which a label counts as confident.
        label_shift: Strength, 0 to 1, of the correction for other class shares in the query than
            in the support, estimated by expectation maximisation once the descent is done.
        refresh_after: pi and confident labels are taken anew from the query after these many
            iterations.
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
        self_training: float = 0.0,
        confidence: float = 0.9,
        label_shift: float = 0.0,
        refresh_after: Sequence[int] = (),
        pi: str = "self",
        pi_gate: str = "kl",
        query_weights: str = "query_mask",
        query_logits: str = "full",
    ) -> None:
        self.entropy = _weight("entropy", entropy)
        self.kl = _weight("kl", kl)
        self.distillation = _weight("distillation", distillation)
        self.self_training = _weight("self_training", self_training)
        self.confidence = _share("confidence", confidence)
        self.label_shift = _share("label_shift", label_shift)
        self.refresh_after = list(refresh_after)
        for iteration in self.refresh_after:
            check_range("transduction.refresh_after", iteration, whole=True, at_least=0)
        if self.self_training and not self.refresh_after:
            raise ConfigError(
                "transduction.self_training has a weight but transduction.refresh_after is empty, "
                "so no label would ever be taken from the query. List at least one iteration."
            )
        self.pi = _choice("pi", pi, "self", "uniform")
        self.pi_gate = _choice("pi_gate", pi_gate, "kl", "entropy")
        self.query_weights = _choice(
            "query_weights", query_weights, "query_mask", "support_validity"
        )
        self.query_logits = _choice("query_logits", query_logits, "full", "classification")

    @property
    def active(self) -> bool:
        """Whether the query has any say in the descent."""
        return max(self.entropy, self.kl, self.distillation, self.self_training) > 0

    @property
    def uses_query(self) -> bool:
        """Whether the query has any say at all, during the descent or after it."""
        return self.active or self.label_shift > 0

    def refreshes(self, finished: int) -> bool:
        """Whether pi is taken anew after that many iterations."""
        gate = self.kl if self.pi_gate == "kl" else self.entropy
        return self.pi == "self" and gate > 0 and finished in self.refresh_after

    def relabels(self, finished: int) -> bool:
        """Whether confident labels are taken anew after that many iterations."""
        return self.self_training > 0 and finished in self.refresh_after


def _weight(name: str, value: float) -> float:
    check_range(f"transduction.{name}", value, at_least=0, why="a weight")
    return value


def _share(name: str, value: float) -> float:
    check_range(f"transduction.{name}", value, at_least=0, at_most=1)
    return value


def _choice(name: str, value: str, *choices: str) -> str:
    if value not in choices:
        raise ConfigError(
            f"transduction.{name} is '{value}', but it must be one of {', '.join(choices)}. Set it "
            "on the command line or in the transduction config."
        )
    return value
