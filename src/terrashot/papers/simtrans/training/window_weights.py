"""Weights of noisy novel windows from the similarities that a frozen SimNet sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from torchmetrics.functional.classification import binary_auroc

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.network.sim_net import SimNet
from terrashot.papers.simtrans.patches.dataset import PatchDataset
from terrashot.papers.simtrans.patches.units import UnitSet
from terrashot.papers.simtrans.training.sample_weights import (
    less_base,
    mean_one,
    mean_similarity,
    of_maximum,
    positive,
)
from terrashot.ranges import check_range


@dataclass(frozen=True)
class Weighting:
    """How windows are weighed.

    Args:
        kind: ``savg`` or ``avg`` (see ``mean_similarity``), ``shuffled`` (the savg weights dealt
            out at random inside each class: the control), or ``none``.
        share: Of the other windows that count.
        include_self: As published.
        correction: Take the similarity to the nearest base class off.
        rescale: See ``positive``; only with the correction, similarities are positive already.
        sharpness: See ``positive``.
        anchors: Clean windows of each base class for the correction.
        norm: ``mean``: weights of a class have mean 1; ``max``: see ``of_maximum``.
        maximum: Largest weight with ``norm = max``.
        mu: Of the relaxation with ``norm = max``; 0: none.
    """

    kind: str = "savg"
    share: float = 1.0
    include_self: bool = False
    correction: bool = True
    rescale: str = "softplus"
    sharpness: float = 10.0
    anchors: int = 64
    norm: str = "mean"
    maximum: float = 2.0
    mu: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: one is out of its range.
        """
        if self.kind not in ("savg", "avg", "shuffled", "none"):
            raise ConfigError(
                f"weak_shot.weights.kind is '{self.kind}', but it must be savg, avg, shuffled or "
                "none."
            )
        if self.norm not in ("mean", "max"):
            raise ConfigError(
                f"weak_shot.weights.norm is '{self.norm}', but it must be mean or max."
            )
        check_range("weak_shot.weights.maximum", self.maximum, above=0)
        check_range("weak_shot.weights.mu", self.mu)
        if self.anchors < 1:
            raise ConfigError(f"weak_shot.weights.anchors is {self.anchors}; at least 1 is needed.")
        positive(torch.zeros(1), self.rescale, self.sharpness)
        mean_similarity(torch.eye(2), "avg", self.share, self.include_self)


@torch.no_grad()
def embed_windows(
    network: SimNet,
    windows: UnitSet,
    chosen: Sequence[int],
    device: torch.device,
    workers: int = 0,
) -> Tensor:
    """Features ``[n, C]`` of some windows without augmentation, in the order given."""
    part: Dataset[Any] = Subset(windows.plain(), list(chosen))  # type: ignore[arg-type]
    loader = DataLoader(part, batch_size=64, num_workers=workers)
    parts = [network.embed(batch["input"].to(device)) for batch in loader]
    return torch.cat(parts) if parts else torch.zeros(0, network.head.channels, device=device)


@torch.no_grad()
def window_weights(
    network: SimNet,
    windows: UnitSet,
    novel: Sequence[int],
    anchor_windows: UnitSet,
    anchors: Sequence[Sequence[int]],
    options: Weighting,
    seed: int,
    device: torch.device,
    *,
    symmetric: bool = True,
    workers: int = 0,
) -> Tensor:
    """Weight ``[n]`` of each window, by its number; those of base windows are 1.

    Args:
        network: Frozen, in eval mode.
        windows: Base and noisy novel windows.
        novel: Ids of the novel classes.
        anchor_windows: Clean base windows.
        anchors: Numbers in it of some windows of each base class.
        options: How.
        seed: Of the shuffling.
        device: To compute on.
        symmetric: Similarities inside a class are the mean of both orders.
        workers: Processes that read windows.
    """
    weights = torch.ones(len(windows))
    if options.kind == "none":
        return weights
    head = network.head
    base = []
    if options.correction:
        base = [embed_windows(network, anchor_windows, a, device, workers) for a in anchors]
    kind = "savg" if options.kind == "shuffled" else options.kind
    for label in novel:
        members = np.flatnonzero(windows.labels == label).tolist()
        units = embed_windows(network, windows, members, device, workers)
        similarity = head.similarity(units, units, both_orders=symmetric)
        own = mean_similarity(similarity, kind, options.share, options.include_self)
        if options.correction:
            to_base = torch.stack([head.similarity(units, b).mean(dim=1) for b in base], dim=1)
            own = positive(less_base(own, to_base), options.rescale, options.sharpness)
        if options.norm == "max":
            own = of_maximum(own, options.maximum, options.mu)
        else:
            own = mean_one(own)
        found = own.cpu()
        if options.kind == "shuffled":
            generator = torch.Generator().manual_seed(seed * 1009 + label)
            found = found[torch.randperm(len(found), generator=generator)]
        weights[members] = found
    return weights


def weight_quality(
    weights: Tensor, windows: PatchDataset, novel: Sequence[int]
) -> dict[str, float]:
    """How well weights tell right labels from wrong ones; for evaluation alone.

    Returns:
        ``weights/auroc`` (mean over the classes that have both), ``weights/clean_mean``,
        ``weights/noisy_mean`` and ``weights/clean_share``; what has no window is left out.
    """
    clean = torch.from_numpy(windows.clean)
    inside = torch.from_numpy(np.isin(windows.labels, list(novel)))
    labels = torch.from_numpy(windows.labels)
    areas = []
    for label in novel:
        own = labels == label
        if bool(clean[own].any()) and not bool(clean[own].all()):
            areas.append(float(binary_auroc(weights[own], clean[own].long())))
    found = {"weights/clean_share": float(clean[inside].float().mean())}
    if areas:
        found["weights/auroc"] = sum(areas) / len(areas)
    for name, part in [("clean", inside & clean), ("noisy", inside & ~clean)]:
        if bool(part.any()):
            found[f"weights/{name}_mean"] = float(weights[part].mean())
    return found
