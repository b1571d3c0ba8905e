"""Tells pairs of base units from pairs of novel ones."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.func import functional_call


class DomainClassifier(nn.Module):
    """Linear, layer norm, ReLU, linear: class 0 is a base pair, class 1 a novel pair.

    Source: Chen et al., "Weak-shot Fine-grained Classification via Similarity Transfer", 2021.

    Args:
        channels: Length of a pair feature.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, channels),
            nn.LayerNorm(channels),
            nn.ReLU(),
            nn.Linear(channels, 2),
        )

    def forward(self, pair_features: Tensor) -> Tensor:
        """Scores ``[P, 2]``."""
        return self.layers(pair_features)

    def frozen(self, pair_features: Tensor) -> Tensor:
        """The same scores, from which no gradient reaches the classifier's own weights."""
        held: Mapping[str, Tensor] = {n: p.detach() for n, p in self.named_parameters()}
        return functional_call(self, dict(held), (pair_features,))
