"""Similarity from optimal transport between the class means."""

import math
import warnings

import torch
from torch import Tensor

from terrashot.ranges import check_range
from terrashot.similarity.estimator import FeatureBank, present_classes


class Transport:
    """The entropic transport plan between novel and base class means, columns normalised.

    Source: ClassTrans. The cost is the squared distance of the means; Sinkhorn scales
    ``exp(-sharpness cost)`` to uniform marginals.

    Args:
        sharpness: Inverse of the entropic regularisation.
        tolerance: Sinkhorn stops when the mass of no novel class changes by more.
        max_iterations: Of Sinkhorn; a warning where it is reached.
        all_pixels: Published form: class sums are divided by all support pixels, padding
            included, which leaves the means tiny and the plan all but uniform. Otherwise class
            means over the class' own pixels; base classes without pixels take no part.
    """

    def __init__(
        self,
        sharpness: float = 0.1,
        tolerance: float = 1e-7,
        max_iterations: int = 10_000,
        all_pixels: bool = False,
    ) -> None:
        check_range("similarity.sharpness", sharpness, above=0)
        check_range("similarity.tolerance", tolerance, at_least=0)
        check_range("similarity.max_iterations", max_iterations, whole=True, at_least=1)
        self.sharpness = sharpness
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.all_pixels = all_pixels

    def estimate(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Similarity ``[base, novel]``, each column summing to 1."""
        plan = self.plan(base, novel)
        return plan / plan.sum(dim=0, keepdim=True)

    def plan(self, base: FeatureBank, novel: FeatureBank) -> Tensor:
        """Transport plan ``[base, novel]``, float64: columns sum to 1/novel, all to 1."""
        if self.all_pixels:
            base_means = base.sums.double() / base.total_pixels
            novel_means = novel.sums.double() / novel.total_pixels
            present = torch.ones_like(base.counts, dtype=torch.bool)
        else:
            base_means, novel_means = base.means.double(), novel.means.double()
            present = present_classes(base)
        difference = base_means[present].unsqueeze(1) - novel_means.unsqueeze(0)
        cost = difference.square().sum(dim=2)  # [present base, novel]
        plan = cost.new_zeros(len(present), len(novel_means))
        plan[present] = self._sinkhorn(cost)
        return plan

    def _sinkhorn(self, cost: Tensor) -> Tensor:
        """Scale ``exp(-sharpness cost)`` to uniform marginals, in the log domain."""
        log_plan = -self.sharpness * cost
        log_plan = log_plan - log_plan.flatten().logsumexp(dim=0)
        log_base, log_novel = (-math.log(classes) for classes in cost.shape)
        mass = torch.zeros_like(cost[0])
        for _ in range(self.max_iterations):
            columns = log_plan.logsumexp(dim=0, keepdim=True)
            if float((columns.exp() - mass).abs().max()) <= self.tolerance:
                return log_plan.exp()
            mass = columns.exp()
            log_plan = log_plan + log_novel - columns
            log_plan = log_plan + log_base - log_plan.logsumexp(dim=1, keepdim=True)
        warnings.warn(
            f"similarity transport: Sinkhorn did not settle to {self.tolerance:g} within "
            f"{self.max_iterations} iterations; its last plan is used. A lower "
            "similarity.sharpness converges faster.",
            stacklevel=2,
        )
        return log_plan.exp()
