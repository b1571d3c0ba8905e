"""Any stage-2 method, its classes brought into balance by support tiles that it has not seen."""

from copy import copy
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Method
from terrashot.adaptation.methods.wrapped import WrappedMethod
from terrashot.adaptation.support.folds import support_folds
from terrashot.adaptation.support.pixels import SupportPixels

SURE = 0.5
"""Probability from which the frozen head's word for a base class counts as a label."""
_PIXELS = 1 << 17
"""About so many pixels a further head is fitted to, and the biases are."""
_PENALTY = 1e-2
"""Weight of the squared biases beside the mean negative log-likelihood."""
_STEPS, _CLOSE = 50, 1e-7


class BalancedMethod(WrappedMethod):
    """The heads of a method with a bias a class, so that no class is asked for too often.

    A head that was fitted to few tiles knows them too well: in others it draws its new classes too
    often or too seldom. So it is asked about tiles that it has not seen: for each of at most five
    folds (``support_folds``) a head without some support tiles is fitted and scores their
    pixels. Labels of people say which are of a novel class; of the others, those count for which
    the frozen head is sure of a base class. One bias a class then makes these labels likeliest,
    under a small penalty. The shares of the classes in support tiles are taken for those of the
    scenes.

    Args:
        method: A method that asks no query.

    Attributes:
        biases: What is added to the logits ``[K]``; zeros where no tile can be left out, or where
            no pixel is known to be of a base class.
    """

    biases: Tensor

    def __init__(self, method: Method) -> None:
        super().__init__(method)

    def __copy__(self) -> "BalancedMethod":
        """Another one, which may be fitted to something else."""
        return BalancedMethod(copy(self.method))

    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """See ``Method``."""
        frozen = snapshot.to(support.like)
        logits, labels = [], []
        for fold in support_folds(support, _PIXELS):
            method = copy(self.method)
            method.fit_support(snapshot, fold.rest(), seed=seed, base_counts=base_counts)
            pixels, found = told_labels(*fold.pixels(), frozen)
            logits.append(method.adapt(pixels, seed=seed).logits(pixels).flatten(1))
            labels.append(found)
        self.biases = support.like.new_zeros(support.num_classes)
        told = torch.cat(labels) if labels else torch.zeros(0)
        # Labels of new classes alone say nothing of how often the others are right.
        if bool((told < support.num_base).any()):
            self.biases = fitted_biases(torch.cat(logits, dim=1), told)
        super().fit_support(snapshot, support, seed=seed, base_counts=base_counts)

    def changed(self, head: AdaptedHead) -> AdaptedHead:
        """The head, its biases in balance."""
        own = head.parameters
        base, novel = own["base_bias"], own["novel_bias"]
        added = self.biases.to(base)
        parts = {"base_bias": base + added[: len(base)], "novel_bias": novel + added[len(base) :]}
        return replace(head, parameters={**own, **parts})


def told_labels(pixels: Tensor, labels: Tensor, frozen: LinearHead) -> tuple[Tensor, Tensor]:
    """Pixels ``[C, 1, n]`` whose class is known, and the class ``[n]``.

    Args:
        pixels: ``[C, N]``.
        labels: Of people ``[N]``; 0 says that it is not the class that the tile was labelled for.
        frozen: The stage-1 head.
    """
    sureness, likeliest = frozen.logits(pixels.unsqueeze(1))[:, 0].softmax(dim=0).max(dim=0)
    found = torch.where((labels == 0) & (sureness >= SURE), likeliest, labels)
    known = found > 0
    return pixels[:, known].unsqueeze(1), found[known]


def fitted_biases(logits: Tensor, labels: Tensor) -> Tensor:
    """The biases ``[K]`` that make labels ``[n]`` likeliest, added to logits ``[K, n]``.

    The problem is convex and has K unknowns: Newton's method solves it in a few steps.
    """
    scores = logits.double()
    classes = scores.shape[0]
    wanted = F.one_hot(labels, classes).double().mean(dim=0)
    biases = scores.new_zeros(classes)
    for _ in range(_STEPS):
        shares = (scores + biases.unsqueeze(1)).softmax(dim=0)
        mean = shares.mean(dim=1)
        gradient = mean - wanted + 2 * _PENALTY * biases
        curvature = mean.diag() - shares @ shares.T / shares.shape[1]
        curvature += 2 * _PENALTY * torch.eye(classes).to(curvature)
        biases = biases - torch.linalg.solve(curvature, gradient).clamp(-1, 1)
        if float(gradient.abs().max()) < _CLOSE:
            break
    return biases.to(logits.dtype)
