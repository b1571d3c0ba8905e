"""The transductive losses of one query and their analytic gradient, in two phases."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.objective.parameters import ParameterLayout
from terrashot.adaptation.objective.pixel_logits import Parameters
from terrashot.adaptation.objective.query_losses import confident_labels
from terrashot.adaptation.objective.support_loss import EPSILON
from terrashot.adaptation.objective.support_pass import GradientSum, ScoredBlock, map_values
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.transition.base import Transition


@dataclass(frozen=True)
class QueryBlock:
    """Some pixels of a query.

    Args:
        block: The pixels.
        weights: How much each counts ``[n]``; over the whole query they sum to 1, or to 0 where
            no pixel is valid.
        log_snapshot: Logarithm of what the frozen head says of them ``[B, n]``.
    """

    block: ScoredBlock
    weights: Tensor
    log_snapshot: Tensor


class QueryPass:
    """Entropy, divergence of the class shares, and distillation of one query.

    The class shares belong to the whole query, so a pass has two phases: ``forward`` for every
    block, then ``backward`` for every block with the shares summed over all of them. Blocks may be
    worked on in different threads.

    Args:
        blocks: The query's pixels.
        transduction: Weights and options of the losses.
        layout: Of the parameters.
        transition: What is added to the classification logits.
        index: Which of the stacked parameter vectors is this query's.
    """

    def __init__(
        self,
        blocks: Sequence[QueryBlock],
        transduction: Transduction,
        layout: ParameterLayout,
        transition: Transition,
        index: int,
    ) -> None:
        self.blocks = list(blocks)
        self.transduction = transduction
        self.layout = layout
        self.transition = transition
        self.index = index
        self.pi: Tensor | None = None
        self._labels: list[tuple[Tensor, Tensor] | None] = [None] * len(self.blocks)
        self._values: list[Tensor | None] = [None] * len(self.blocks)
        self._probabilities: list[Tensor | None] = [None] * len(self.blocks)

    def shares(
        self, number: int, weight: Tensor, biases: Tensor, others: Parameters, relabel: bool
    ) -> Tensor:
        """What a block adds to the class shares ``[K]``, as inference sees them.

        Args:
            number: Of the block.
            weight: Weights less those of the origin, ``[Q R, C]``.
            biases: ``[Q, R, 1]``.
            others: What the transition trains besides maps, ``[Q, ...]``.
            relabel: Take confident labels for self-training, too.
        """
        part = self.blocks[number]
        _, probabilities = self._forward(part, weight, biases, others, full=True)
        if relabel:
            confidence = self.transduction.confidence
            self._labels[number] = confident_labels(probabilities, confidence)
        return probabilities @ part.weights

    def forward(self, number: int, weight: Tensor, biases: Tensor, others: Parameters) -> Tensor:
        """First phase of a block: keeps its probabilities, returns its share ``[K]``."""
        part = self.blocks[number]
        full = self.transduction.query_logits == "full"
        values, probabilities = self._forward(part, weight, biases, others, full)
        self._values[number], self._probabilities[number] = values, probabilities
        return probabilities @ part.weights

    def backward(
        self, number: int, shares: Tensor, others: Parameters, total: GradientSum
    ) -> dict[str, Tensor]:
        """Second phase of a block: adds its gradient to ``total``, returns its loss terms.

        With p = softmax(z) and d the derivative of the loss by p, the gradient by z_k is
        ``p_k (d_k - sum_j p_j d_j)``.

        Args:
            number: Of the block.
            shares: Class shares of the whole query ``[K]``.
            others: What the transition trains besides maps, ``[Q, ...]``.
            total: Where the gradient goes.
        """
        part, options = self.blocks[number], self.transduction
        values, probabilities = self._values[number], self._probabilities[number]
        assert values is not None
        assert probabilities is not None
        derivative, terms = self._derivative(number, probabilities, shares)
        derivative -= (probabilities * derivative).sum(dim=0)
        num_classes = self.layout.num_classes
        gradients = torch.empty_like(values)
        gradient = torch.mul(probabilities, derivative, out=gradients[:num_classes])
        changes: Parameters = {}
        if options.query_logits == "full" and (self.layout.rows > num_classes or others):
            own = {name: value[self.index] for name, value in others.items()}
            maps, by_maps = values[num_classes:], gradients[num_classes:]
            _, changes = self.transition.backward(
                own, maps, self._snapshot(part), gradient, out=by_maps
            )
        total.add(gradients, part.block.pixels, changes, self.index)
        self._values[number] = self._probabilities[number] = None
        return terms

    def kl_term(self, shares: Tensor) -> Tensor | None:
        """The weighted divergence of the class shares ``[K]`` from pi, where it has a weight."""
        if not self.transduction.kl or self.pi is None:
            return None
        logs = (shares + EPSILON).log() - (self.pi + EPSILON).log()
        return self.transduction.kl * (shares * logs).sum()

    def _forward(
        self,
        part: QueryBlock,
        weight: Tensor,
        biases: Tensor,
        others: Parameters,
        full: bool,
    ) -> tuple[Tensor, Tensor]:
        """Values of the maps ``[R or K, n]`` and probabilities ``[K, n]`` of a block."""
        num_classes = self.layout.num_classes
        rows = self.layout.rows if full else num_classes
        begin = self.index * self.layout.rows
        own_biases = biases[self.index : self.index + 1, :rows]
        stacked, logits = map_values(
            weight[begin : begin + rows], own_biases, part.block, num_classes
        )
        values, logits = stacked[0], logits[0]
        if full and (rows > num_classes or others):
            own = {name: value[self.index] for name, value in others.items()}
            logits += self.transition.logits(own, values[num_classes:], self._snapshot(part))
        return values, logits.softmax(dim=0)

    def _derivative(
        self, number: int, probabilities: Tensor, shares: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Derivative of the losses by the probabilities ``[K, n]``, and their terms."""
        part, options, num_base = self.blocks[number], self.transduction, self.layout.num_base
        derivative = torch.zeros_like(probabilities)
        terms = {}
        logs = (probabilities + EPSILON).log()
        # d/dp of p log(p + eps); the fraction is 1 but where p is next to 0.
        slopes = logs + probabilities / (probabilities + EPSILON)
        if options.kl and self.pi is not None:
            own = (shares + EPSILON).log() - (self.pi + EPSILON).log()
            own = own + shares / (shares + EPSILON)
            derivative += options.kl * own.unsqueeze(1)
        if options.entropy:
            derivative.sub_(slopes, alpha=options.entropy)
            mean = (probabilities * logs).sum(dim=0) @ part.weights
            terms["entropy"] = -options.entropy * mean
        if options.distillation:
            reference = part.log_snapshot
            background = probabilities[0] + probabilities[num_base:].sum(dim=0)  # folded, [n]
            background_log = (background + EPSILON).log()
            slope = background_log + background / (background + EPSILON) - reference[0]
            base = probabilities[1:num_base]
            derivative[1:num_base].add_(
                slopes[1:num_base] - reference[1:], alpha=options.distillation
            )
            derivative[0].add_(slope, alpha=options.distillation)
            derivative[num_base:].add_(slope, alpha=options.distillation)
            divergence = background * (background_log - reference[0])
            divergence = divergence + (base * (logs[1:num_base] - reference[1:])).sum(dim=0)
            terms["distillation"] = options.distillation * (divergence @ part.weights)
        chosen = self._labels[number]
        if options.self_training and chosen is not None:
            labels, confident = chosen[0].unsqueeze(0), chosen[1]
            own = probabilities.gather(0, labels) + EPSILON
            slope = confident * -options.self_training / own
            derivative.scatter_add_(0, labels, slope)
            loss = -(own[0].log() * confident) @ part.weights
            terms["self_training"] = options.self_training * loss
        return derivative.mul_(part.weights), terms

    def _snapshot(self, part: QueryBlock) -> Tensor:
        return part.block.scores[: self.layout.num_base]
