"""Where base and novel head start."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.options import GradientOptions
from terrashot.adaptation.objective.pixel_logits import Parameters
from terrashot.adaptation.objective.support_loss import EPSILON
from terrashot.adaptation.support.pixels import PixelBlock, SupportPixels
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.similarity.estimator import FeatureBank, SimilarityEstimator


def classifier_start(
    options: GradientOptions,
    snapshot: LinearHead,
    support: SupportPixels,
    scale: FeatureScale,
    similarity: Tensor | None,
) -> Parameters:
    """Base head from the snapshot, novel head by the chosen start, for scaled features.

    Args:
        options: ``start`` and ``start_mass``.
        snapshot: The frozen head, for features as they are.
        support: The support pixels.
        scale: What the features are scaled by.
        similarity: ``[base, novel]``, of ``base_to_novel``; None: there is no estimator.
    """
    scaled = LinearHead(*scale.from_raw(snapshot.weight, snapshot.bias))
    novel_bias = scaled.bias.new_zeros(support.num_novel)
    if options.start == "similarity" and similarity is not None:
        mass = 1 / support.num_novel if options.start_mass == "per_novel" else 1.0
        raw = similarity_start(similarity, snapshot, mass)
        novel, novel_bias = scale.from_raw(raw, novel_bias)
    elif options.start == "prototype":
        novel = prototype_start(support)
    else:
        novel = scaled.weight.new_zeros(support.num_novel, scaled.weight.shape[1])
    return {
        "base_weight": scaled.weight,
        "base_bias": scaled.bias,
        "novel_weight": novel,
        "novel_bias": novel_bias,
    }


def prototype_start(support: SupportPixels) -> Tensor:
    """Mean feature of each novel class at length 1, ``[N, C]`` (the start of DIaM)."""
    means = novel_bank(support).means
    return means / (torch.linalg.vector_norm(means, dim=1, keepdim=True) + EPSILON)


def similarity_start(similarity: Tensor, snapshot: LinearHead, mass: float = 1.0) -> Tensor:
    """Each novel class starts at the base classes it resembles: ``W_N = mass M^T S``, ``[N, C]``.

    Args:
        similarity: M ``[base, novel]``, columns summing to 1.
        snapshot: The frozen head S.
        mass: Factor of the columns. ClassTrans leaves each column of its plan at 1/N.
    """
    return mass * similarity.to(snapshot.weight).T @ snapshot.weight


def base_to_novel(
    estimator: SimilarityEstimator,
    snapshot: LinearHead,
    support: SupportPixels,
    scale: FeatureScale,
) -> Tensor:
    """Similarity ``[base, novel]`` of the classes in the support.

    Base classes are known by what the frozen head says of the pixels.
    """
    base = base_bank(snapshot, support, estimator.all_pixels).scaled(scale.factor)
    return estimator.estimate(base, novel_bank(support).scaled(scale.factor))


def novel_bank(support: SupportPixels) -> FeatureBank:
    """Feature sums of the novel classes, by the support's labels."""
    novel = range(support.num_base, support.num_classes)
    sums = torch.stack(
        [torch.stack([b.sum(dim=1) for b in support.of_class(i)]).sum(dim=0) for i in novel]
    )
    names = support.class_names and support.class_names[support.num_base :]
    return FeatureBank(
        sums,
        support.counts[support.num_base :],
        support.num_pixels,
        names,
        pixels=lambda index: support.of_class(support.num_base + index),
    )


def base_bank(snapshot: LinearHead, support: SupportPixels, all_pixels: bool) -> FeatureBank:
    """Feature sums of the base classes, by the frozen head's map of the support.

    Args:
        snapshot: The frozen head.
        support: The support pixels.
        all_pixels: Take padding and novel pixels too (published), or background pixels alone.
    """
    blocks = [*support.blocks, *support.ignored]
    chosen = blocks if all_pixels else [block for block in blocks if block.label == 0]
    sums = snapshot.weight.new_zeros(support.num_base, support.channels)
    counts = torch.zeros(support.num_base, dtype=torch.int64, device=sums.device)

    def mapped(block: PixelBlock) -> tuple[Tensor, Tensor]:
        """Features and the classes that the frozen head gives them."""
        pixels = block.pixels.to(sums)
        return pixels, (snapshot.weight @ pixels + snapshot.bias.unsqueeze(1)).argmax(dim=0)

    def of_class(index: int) -> Iterator[Tensor]:
        for block in chosen:
            pixels, classes = mapped(block)
            yield pixels[:, classes == index]

    for block in chosen:
        pixels, classes = mapped(block)
        sums += functional.one_hot(classes, support.num_base).T.to(sums) @ pixels.T
        counts += torch.bincount(classes, minlength=support.num_base)
    names = support.class_names and support.class_names[: support.num_base]
    return FeatureBank(sums, counts, support.num_pixels, names, of_class)
