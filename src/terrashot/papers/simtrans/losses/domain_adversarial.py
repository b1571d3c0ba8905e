"""The adversarial term: pair features that do not tell base from novel."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.papers.simtrans.network.domain_classifier import DomainClassifier


def domain_losses(
    classifier: DomainClassifier, pair_features: Tensor, base_pairs: int
) -> tuple[Tensor, Tensor]:
    """Domain cross entropy twice, equal in value: for the SimNet and for the classifier.

    The gradient of the first reaches the features alone, that of the second the classifier alone,
    so that one backward pass of ``L_sim - beta first + second`` is a step of each player.

    Args:
        classifier: The discriminator.
        pair_features: Base pairs, then novel pairs ``[P, d]``.
        base_pairs: How many are base pairs.

    Returns:
        The loss of the SimNet's side and of the classifier's side, scalars.
    """
    targets = torch.zeros(len(pair_features), dtype=torch.int64, device=pair_features.device)
    targets[base_pairs:] = 1
    fooled = functional.cross_entropy(classifier.frozen(pair_features), targets)
    told_apart = functional.cross_entropy(classifier(pair_features.detach()), targets)
    return fooled, told_apart


def ramp(progress: float) -> float:
    """Weight of the adversarial term during warm-up, 0 to 1.

    Source: Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", 2015.

    Args:
        progress: Share of the training that is done, 0 to 1.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1
