"""The stage-2 loss in plain torch, its gradient by autograd."""

from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation import query_losses
from terrashot.adaptation.objective import Terms
from terrashot.adaptation.pixel_logits import Parameters, classification_logits, full_logits
from terrashot.adaptation.support_loss import SupportLoss
from terrashot.adaptation.transduction import Transduction
from terrashot.adaptation.transition.base import Transition


@dataclass(frozen=True)
class Pixels:
    """Pixels and what the frozen head says of them, computed once.

    Args:
        features: ``[C, P]``.
        scores: ``S x``, without the bias ``[B, P]``.
    """

    features: Tensor
    scores: Tensor


class AutogradObjective:
    """Support loss and query losses of one query.

    Args:
        support: The support pixels, sorted by label.
        support_loss: Their loss.
        support_weight: Its weight.
        query: The query's pixels.
        query_weights: How much each counts ``[P]``; brought to sum 1 here.
        snapshot_bias: Bias of the frozen head ``[B]``.
        transition: What is added to the classification logits.
        transduction: Weights and options of the query losses.
        parameters: The start, for the first pi.
        gain: Factor of the features.
    """

    def __init__(
        self,
        support: Pixels,
        support_loss: SupportLoss,
        support_weight: float,
        query: Pixels,
        query_weights: Tensor,
        snapshot_bias: Tensor,
        transition: Transition,
        transduction: Transduction,
        parameters: Parameters,
        gain: float = 1.0,
    ) -> None:
        self.support = support
        self.support_loss = support_loss
        self.support_weight = support_weight
        self.query = query
        self.transition = transition
        self.transduction = transduction
        self.gain = gain
        # A query without a valid pixel has no say: all weights stay 0.
        total = query_weights.sum()
        self.query_weights = query_weights / torch.where(total > 0, total, torch.ones_like(total))
        self.snapshot = (query.scores + snapshot_bias.unsqueeze(1)).softmax(dim=0)  # [B, P]
        self.pi: Tensor | None = None
        if transduction.active:
            self.pi = self._class_shares(parameters)
            if transduction.pi == "uniform":
                self.pi = torch.full_like(self.pi, 1 / len(self.pi))

    def gradient(self, parameters: Parameters, iteration: int) -> tuple[Parameters, Terms]:
        """Gradient by parameter name, and the loss terms."""
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
            terms = self.terms(leaves, iteration)
            loss = torch.stack(list(terms.values())).sum()
            gradients = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
        return (
            dict(zip(leaves, gradients, strict=True)),
            {name: term.detach() for name, term in terms.items()},
        )

    def terms(self, parameters: Parameters, iteration: int) -> Terms:
        """The weighted loss terms, with their graph."""
        classification, transition = self._full(parameters, self.support)
        support = self.support_loss(classification + transition, iteration)
        return {"support": self.support_weight * support, **self._query_terms(parameters)}

    def after_iteration(self, parameters: Parameters, finished: int) -> None:
        """Refresh pi where the transduction says so."""
        if self.transduction.refreshes(finished):
            self.pi = self._class_shares(parameters)

    def _query_terms(self, parameters: Parameters) -> Terms:
        options, weights = self.transduction, self.query_weights
        if not options.active:
            return {}
        if options.query_logits == "full":
            classification, transition = self._full(parameters, self.query)
            logits = classification + transition
        else:
            logits = classification_logits(parameters, self.query.features, self.gain)
        probabilities = logits.softmax(dim=0)
        terms = {}
        if options.entropy:
            terms["entropy"] = options.entropy * query_losses.entropy(probabilities, weights)
        if options.kl and self.pi is not None:
            terms["kl"] = options.kl * query_losses.marginal_kl(probabilities, weights, self.pi)
        if options.distillation:
            terms["distillation"] = options.distillation * query_losses.distillation(
                probabilities, self.snapshot, weights
            )
        return terms

    @torch.no_grad()
    def _class_shares(self, parameters: Parameters) -> Tensor:
        """Class shares of the query ``[K]`` by the full logits, as inference sees it."""
        classification, transition = self._full(parameters, self.query)
        probabilities = (classification + transition).softmax(dim=0)
        return query_losses.marginal(probabilities, self.query_weights)

    def _full(self, parameters: Parameters, pixels: Pixels) -> tuple[Tensor, Tensor]:
        return full_logits(parameters, self.transition, pixels.features, pixels.scores, self.gain)
