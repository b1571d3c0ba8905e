"""The similarity head of SimTrans: are two units of one class?"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from terrashot.errors import ConfigError

KINDS = ("4", "2")


class PairHead(nn.Module):
    """Scores of all ordered pairs between units: channel 1 means of one class.

    Source: Chen et al., "Weak-shot Fine-grained Classification via Similarity Transfer", NeurIPS
    2021. Head ``4`` is 2C-2C-C-C-2, head ``2`` is 2C-4C-2, with batch norm and ReLU; the domain
    classifier sees the pair feature. Pairs are concatenations, or with ``symmetric`` the features
    ``|a - b|`` and ``a b``, which no order changes.

    The first layer on a concatenation is a sum of two products, one a unit, so the B^2 vectors of
    length 2C are never built.

    Args:
        channels: Length C of a unit's feature.
        kind: ``4`` or ``2`` layers.
        symmetric: See above.

    Raises:
        ConfigError: another kind.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, channels: int, kind: str = "4", symmetric: bool = False) -> None:
        super().__init__()
        if str(kind) not in KINDS:
            raise ConfigError(f"units.head is '{kind}', but it must be one of {', '.join(KINDS)}.")
        self.channels = channels
        self.kind = str(kind)
        self.symmetric = symmetric
        if self.kind == "4":
            self.first = nn.Linear(2 * channels, 2 * channels)
            self.pair_channels = channels
            self.to_pair = nn.Sequential(
                *_normed(2 * channels), nn.Linear(2 * channels, channels), *_normed(channels)
            )
            self.to_score = nn.Sequential(
                nn.Linear(channels, channels), *_normed(channels), nn.Linear(channels, 2)
            )
        else:
            self.first = nn.Linear(2 * channels, 4 * channels)
            self.pair_channels = 4 * channels
            self.to_pair = nn.Sequential(*_normed(4 * channels))
            self.to_score = nn.Sequential(nn.Linear(4 * channels, 2))
        # Features of a frozen network come at any scale; those of a trained encoder keep these.
        self.register_buffer("shift", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    @property
    def description(self) -> dict[str, Any]:
        """Plain values that build the same head."""
        return {"channels": self.channels, "kind": self.kind, "symmetric": self.symmetric}

    def standardise(self, features: Tensor) -> None:
        """Take in mean and deviation of the features ``[n, C]`` that units come from."""
        deviation, mean = torch.std_mean(features.float(), dim=0)
        self.shift.copy_(mean)
        # A dead channel must not be blown up.
        self.scale.copy_(1 / torch.where(deviation > 1e-4 * deviation.max(), deviation, 1.0))

    def hidden(self, first: Tensor, second: Tensor) -> Tensor:
        """Values ``[n m, H]`` of the first layer for ``[n, C]`` and ``[m, C]``.

        Row ``q = r n + c`` is the pair (first[c], second[r]): the first unit runs fastest.
        """
        a, b = ((x - self.shift) * self.scale for x in (first, second))
        if self.symmetric:
            pairs = torch.cat(
                [(a - b.unsqueeze(1)).abs(), a * b.unsqueeze(1)], dim=-1
            )  # [m, n, 2C]
            return self.first(pairs.flatten(0, 1))
        left, right = self.first.weight.split(self.channels, dim=1)
        values = (a @ left.T) + (b @ right.T + self.first.bias).unsqueeze(1)  # [m, n, H]
        return values.flatten(0, 1)

    def body(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[P, 2]`` and pair features ``[P, d]`` of values of the first layer."""
        feature = self.to_pair(hidden)
        return self.to_score(feature), feature

    def forward(self, units: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[B^2, 2]`` and pair features ``[B^2, d]`` of all ordered pairs of ``[B, C]``."""
        return self.body(self.hidden(units, units))

    @torch.no_grad()
    def logits(self, first: Tensor, second: Tensor, chunk: int = 1 << 16) -> Tensor:
        """Log odds ``[n, m]`` that first[i] and second[j] are of one class, mean of both orders.

        Args:
            first: ``[n, C]``.
            second: ``[m, C]``.
            chunk: Pairs at once.
        """
        return self._between(first, second, chunk, lambda odds: odds)

    @torch.no_grad()
    def similarity(
        self, first: Tensor, second: Tensor, chunk: int = 1 << 16, both_orders: bool = True
    ) -> Tensor:
        """Probabilities ``[n, m]`` of one class, ``(S + S^T) / 2`` where orders differ.

        Args:
            first: ``[n, C]``.
            second: ``[m, C]``.
            chunk: Pairs at once.
            both_orders: False takes first[i] before second[j] alone, as published.
        """
        return self._between(first, second, chunk, Tensor.sigmoid, both_orders)

    def _between(
        self,
        first: Tensor,
        second: Tensor,
        chunk: int,
        of_odds: Callable[[Tensor], Tensor],
        both_orders: bool = True,
    ) -> Tensor:
        """A function of the log odds ``[n, m]``, mean of both orders where they differ."""
        rows = max(1, chunk // max(1, len(second)))
        parts = []
        for part in first.split(rows):
            value = of_odds(_odds(self, part, second)).T  # [n', m]
            if both_orders and not self.symmetric:
                value = (value + of_odds(_odds(self, second, part))) / 2
            parts.append(value)
        return torch.cat(parts)


def _odds(head: PairHead, first: Tensor, second: Tensor) -> Tensor:
    """Log odds ``[m, n]`` of the pairs (first[c], second[r])."""
    if head.training:
        raise RuntimeError("similarities are taken in eval mode: batch norm would mix pairs")
    scores, _ = head.body(head.hidden(first, second))
    return (scores[:, 1] - scores[:, 0]).view(len(second), len(first))


def _normed(width: int) -> list[nn.Module]:
    return [nn.BatchNorm1d(width), nn.ReLU()]
