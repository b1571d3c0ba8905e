"""The transductive losses, on the query's class probabilities."""

from torch import Tensor

from terrashot.adaptation.objective.support_loss import EPSILON


def entropy(probabilities: Tensor, weights: Tensor) -> Tensor:
    """Mean entropy of a pixel; probabilities ``[K, P]``, weights ``[P]`` summing to 1."""
    terms = probabilities * (probabilities + EPSILON).log()
    return -(terms.sum(dim=0) * weights).sum()


def marginal(probabilities: Tensor, weights: Tensor) -> Tensor:
    """Class shares ``[K]``: the weighted mean of the probabilities."""
    return probabilities @ weights


def marginal_kl(probabilities: Tensor, weights: Tensor, pi: Tensor) -> Tensor:
    """Divergence of the class shares from ``pi [K]``."""
    shares = marginal(probabilities, weights)
    return (shares * ((shares + EPSILON).log() - (pi + EPSILON).log())).sum()


def distillation(probabilities: Tensor, snapshot: Tensor, weights: Tensor) -> Tensor:
    """Divergence from the frozen head's probabilities ``[B, P]``, novel folded into background."""
    background, base, novel = probabilities.split(
        [1, len(snapshot) - 1, len(probabilities) - len(snapshot)]
    )
    background = background + novel.sum(dim=0, keepdim=True)
    total = _divergence(background, snapshot[:1]) + _divergence(base, snapshot[1:])
    return (total * weights).sum()


def self_training(
    probabilities: Tensor, weights: Tensor, labels: Tensor, confident: Tensor
) -> Tensor:
    """Cross entropy to labels ``[P]`` where they are ``confident [P]``, 0 or 1."""
    own = probabilities.gather(0, labels.unsqueeze(0))[0]
    return -((own + EPSILON).log() * confident * weights).sum()


def confident_labels(probabilities: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """The likeliest class ``[P]``, and 1 where it reaches ``confidence``, else 0."""
    largest, labels = probabilities.max(dim=0)
    return labels, (largest >= confidence).to(probabilities)


def _divergence(current: Tensor, reference: Tensor) -> Tensor:
    terms = current * ((current + EPSILON).log() - (reference + EPSILON).log())
    return terms.sum(dim=0)
