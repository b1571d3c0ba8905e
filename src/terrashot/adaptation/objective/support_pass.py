"""One pass over support blocks: the support loss and its analytic gradient."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.objective.parameters import ParameterLayout
from terrashot.adaptation.objective.pixel_logits import Parameters
from terrashot.adaptation.objective.support_loss import EPSILON, LabelRule, SupportLoss
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.base import Transition


@dataclass(frozen=True)
class ScoredBlock:
    """A block of pixels with the logits that the origin gives them.

    The origin is a fixed classifier, the start of the adaptation. Products then only carry what
    has been learnt since, small numbers that half precision is fine enough for.

    Args:
        pixels: Features ``[C, n]`` in storage precision.
        scores: Logits ``[K, n]`` of the origin without bias, float32 or float64. The first B
            are those of the frozen head.
    """

    pixels: Tensor
    scores: Tensor


@dataclass(frozen=True)
class LabelledBlock:
    """Support pixels of one label.

    Args:
        block: The pixels.
        rule: What the loss asks of them.
        coefficient: Weight of the support loss times omega / V.
        weights: Factor of each pixel's loss ``[n]``; None: 1.
    """

    block: ScoredBlock
    rule: LabelRule
    coefficient: float
    weights: Tensor | None = None


class GradientSum:
    """Gradients of the linear maps and of the other parameters, summed over blocks.

    Args:
        layout: Says how many there are.
        queries: Number of parameter vectors Q.
        like: dtype and device to sum in.
    """

    def __init__(self, layout: ParameterLayout, queries: int, like: Tensor) -> None:
        self._layout = layout
        self._vector = like.new_zeros(queries, layout.size)
        # Products write whole matrices [Q R, C], which are no view of the vector for Q > 1.
        self._weights = like.new_zeros(queries * layout.rows, layout.channels)
        self._biases = layout.biases(self._vector)
        self._others = layout.others(self._vector)

    def add(
        self, values: Tensor, pixels: Tensor, others: Parameters, query: int | None = None
    ) -> None:
        """Add a block: gradient of its map values times its pixels.

        Args:
            values: Gradient by the values of the first maps, ``[Q, R, n]`` or for one query
                ``[r, n]``, r up to R.
            pixels: ``[C, n]``, storage precision.
            others: Gradient of what is no map.
            query: The one parameter vector that it belongs to; None for all.
        """
        if query is None:
            weights, biases, which = self._weights, self._biases, slice(None)
        else:
            begin, rows = query * self._layout.rows, values.shape[0]
            weights = self._weights[begin : begin + rows]
            biases, which = self._biases[query, :rows], slice(query, query + 1)
        flat = values.flatten(0, -2)
        if pixels.dtype == flat.dtype:
            weights.addmm_(flat, pixels.T)
        else:
            weights += flat.to(pixels.dtype) @ pixels.T
        biases += values.sum(dim=-1)
        for name, value in others.items():
            self._others[name][which] += value

    def vector(self, scale: FeatureScale) -> Tensor:
        """The gradient ``[Q, D]``, by weights of scaled features."""
        shape = (self._vector.shape[0], self._layout.rows, self._layout.channels)
        by_weight = scale.gradient(self._weights.view(shape), self._biases)
        self._layout.weights(self._vector).copy_(by_weight)
        return self._vector


def map_values(
    weight: Tensor, biases: Tensor, block: ScoredBlock, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Values of all maps ``[Q, R, n]``, the first K of them the classification logits.

    Args:
        weight: Weights less those of the origin ``[Q R, C]``, storage precision.
        biases: ``[Q, R, 1]``.
        block: The pixels.
        num_classes: K.

    Returns:
        All values, and the first K as a view.
    """
    values = (weight @ block.pixels).to(biases.dtype)
    values = values.view(biases.shape[0], biases.shape[1], -1)
    values += biases
    logits = values[:, :num_classes]
    logits += block.scores
    return values, logits


class SupportPass:
    """Loss and gradient of the support under Q parameter vectors, block by block.

    By hand. With p = softmax(z), P the probability of the classes that a label allows, F that
    of the others and c = omega/V, the gradient of ``-c log(P + eps)`` by z_k is ``-c p_k F /
    (P + eps)`` where k is allowed and ``c p_k P / (P + eps)`` where it is not. A pixel's weight
    is a further factor of its c.

    Args:
        blocks: The pixels with their rules.
        loss: Says when margins act.
        layout: Of the parameters.
        transition: What is added to the classification logits.
        snapshot_bias: Of the frozen head ``[B]``.
    """

    def __init__(
        self,
        blocks: Sequence[LabelledBlock],
        loss: SupportLoss,
        layout: ParameterLayout,
        transition: Transition,
        snapshot_bias: Tensor,
    ) -> None:
        self.blocks = list(blocks)
        self.snapshot_bias = snapshot_bias.unsqueeze(1)
        rules = {labelled.rule.background for labelled in self.blocks}
        self._stands_for = {
            rule: snapshot_bias.new_tensor(rule).view(1, -1, 1) for rule in rules if rule
        }
        self.loss = loss
        self.layout = layout
        self.transition = transition

    def add_block(
        self,
        labelled: LabelledBlock,
        weight: Tensor,
        biases: Tensor,
        others: Parameters,
        iteration: int,
        total: GradientSum,
    ) -> Tensor:
        """Add one block's gradient to ``total`` and return its loss ``[Q]``.

        Args:
            labelled: The block.
            weight: See ``map_values``.
            biases: See ``map_values``.
            others: What the transition trains besides maps, ``[Q, ...]``.
            iteration: Counted from 0.
            total: Where the gradient goes.
        """
        block, rule, transition = labelled.block, labelled.rule, self.transition
        trust = labelled.weights
        num_base, num_classes = self.layout.num_base, self.layout.num_classes
        values, logits = map_values(weight, biases, block, num_classes)
        maps, snapshot = values[:, num_classes:], block.scores[:num_base]
        if maps.shape[1] or others:
            logits += transition.logits(others, maps, snapshot)
        coefficient = labelled.coefficient * (1 - rule.distillation)
        factor = coefficient
        plain: Tensor | None = None
        if self.loss.with_margins(iteration):
            assert rule.margins is not None
            if rule.distillation:  # a teacher's probabilities have no margin
                plain = logits.softmax(dim=1)
            logits -= rule.margins.unsqueeze(-1)
            if self.loss.scale != 1.0:
                logits *= self.loss.scale
                factor = factor * self.loss.scale
        probabilities = logits.softmax(dim=1)  # [Q, K, n]
        # Both sums are formed directly: 1 minus one of them would be rounding where it is near 1.
        inside, outside = _parted(probabilities, rule.classes)  # [Q, n]
        allowed, others_sum = (outside, inside) if rule.others else (inside, outside)
        shifted = allowed + EPSILON
        logs = shifted.log()
        ratio = factor / shifted
        if trust is not None:
            logs, ratio = logs * trust, ratio * trust
        loss = logs.sum(dim=-1) * -coefficient
        push, pull = allowed * ratio, (others_sum * ratio).neg_()
        gradients = torch.empty_like(values)
        gradient = gradients[:, :num_classes]
        torch.mul(probabilities, (pull if rule.others else push).unsqueeze(1), out=gradient)
        part = gradient[:, rule.classes]
        own = (push if rule.others else pull).unsqueeze(1)
        torch.mul(probabilities[:, rule.classes], own, out=part)
        if rule.distillation:
            share = labelled.coefficient * rule.distillation
            current = probabilities if plain is None else plain
            loss += self._distil(rule, share, snapshot, current, gradient, trust)
        changes: Parameters = {}
        if maps.shape[1] or others:
            by_maps = gradients[:, num_classes:]
            _, changes = transition.backward(others, maps, snapshot, gradient, out=by_maps)
        total.add(gradients, block.pixels, changes)
        return loss

    def _distil(
        self,
        rule: LabelRule,
        coefficient: float,
        snapshot: Tensor,
        probabilities: Tensor,
        gradient: Tensor,
        trust: Tensor | None,
    ) -> Tensor:
        """Add the gradient of the distillation ``c (p - t)``, return its loss ``[Q]``.

        The target t is what the frozen head says; its background is shared out over the classes
        that it stands for as they stand (and as far as it does), so that it asks nothing of them
        but their sum.
        """
        assert rule.background is not None
        num_base = self.layout.num_base
        frozen = (snapshot + self.snapshot_bias).softmax(dim=0)  # [B, n]
        group = probabilities * self._stands_for[rule.background]
        total = group.sum(dim=1) + EPSILON  # [Q, n]
        target = group.mul_((frozen[0] / total).unsqueeze(1))
        target[:, 1:num_base] = frozen[1:]
        if trust is None:
            gradient.add_(probabilities - target, alpha=coefficient)
        else:
            gradient.add_((probabilities - target) * trust, alpha=coefficient)
            frozen = frozen * trust  # from here on it only weighs logarithms
        base = (probabilities[:, 1:num_base] + EPSILON).log().mul_(frozen[1:]).sum(dim=(1, 2))
        return (base + (total.log() * frozen[0]).sum(dim=-1)) * -coefficient


def _parted(probabilities: Tensor, classes: slice) -> tuple[Tensor, Tensor]:
    """Sums ``[Q, n]`` of probabilities ``[Q, K, n]`` in a range of classes and outside of it."""
    inside = probabilities[:, classes]
    before, after = probabilities[:, : classes.start], probabilities[:, classes.stop :]
    outside = before.sum(dim=1) if before.shape[1] else after.sum(dim=1)
    if before.shape[1] and after.shape[1]:
        outside += after.sum(dim=1)
    return inside[:, 0] if inside.shape[1] == 1 else inside.sum(dim=1), outside
