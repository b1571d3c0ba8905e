"""Read this first: the stage-2 objective as the papers write it down, its gradient by autograd.

Slow and large on purpose: the reference that the engine is tested and measured against. It builds
one tensor for each quantity over all support pixels, the transition matrix of each pixel included.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.objective import query_losses
from terrashot.adaptation.objective.pixel_logits import Parameters
from terrashot.adaptation.objective.support_loss import EPSILON, SupportLoss
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.taxonomy import IGNORE


class PlainObjective:
    """Support loss and query losses of one query.

    Args:
        features: Support features ``[S, C, h, w]``.
        labels: Support labels ``[S, h, w]``.
        tile_classes: The novel class of each tile; None where it has none or several.
        query: Features ``[C, h, w]``.
        query_weights: How much each query pixel counts ``[h, w]``.
        snapshot: The frozen head for these features.
        loss: The support loss.
        support_weight: Its weight.
        transition: What is added to the classification logits.
        transduction: Weights and options of the query losses.
        pixel_weights: Factor of each support pixel's loss ``[S, h, w]``; None: 1.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        tile_classes: Sequence[int | None],
        query: Tensor,
        query_weights: Tensor,
        snapshot: LinearHead,
        loss: SupportLoss,
        support_weight: float,
        transition: Transition,
        transduction: Transduction,
        pixel_weights: Tensor | None = None,
    ) -> None:
        self.features = features
        self.pixel_weights = pixel_weights
        self.query = query
        self.query_weights = (query_weights / query_weights.sum().clamp(min=1e-30)).flatten()
        self.snapshot = snapshot
        self.loss = loss
        self.support_weight = support_weight
        self.transition = transition
        self.transduction = transduction
        self.valid = labels != IGNORE
        self.labels = torch.where(self.valid, labels, torch.zeros_like(labels))
        self._targets(tile_classes)
        self.pi: Tensor | None = None

    def gradient(self, parameters: Parameters, iteration: int) -> tuple[Parameters, Parameters]:
        """Gradients and weighted loss terms by name."""
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
            terms = self.terms(leaves, iteration)
            total = torch.stack(list(terms.values())).sum()
            gradients = torch.autograd.grad(total, list(leaves.values()), materialize_grads=True)
        return dict(zip(leaves, gradients, strict=True)), {k: v.detach() for k, v in terms.items()}

    def terms(self, parameters: Parameters, iteration: int) -> Parameters:
        """The weighted loss terms, with their graph."""
        classification, transition = self._logits(parameters, self.features)
        logits = classification + transition  # [S, K, h, w]
        plain = logits.softmax(dim=1)
        if self.loss.with_margins(iteration):
            assert self.margins is not None
            logits = self.loss.scale * (logits - self.margins)
        probabilities = logits.softmax(dim=1)
        allowed = (probabilities * self.allowed).sum(dim=1)
        losses = (1 - self.distilled) * -(allowed + EPSILON).log()
        losses = losses + self.distilled * self._distillation(plain)
        losses = self.omega * self.valid * losses
        if self.pixel_weights is not None:
            losses = losses * self.pixel_weights
        terms = {"support": self.support_weight * losses.sum() / self.valid.sum()}
        return {**terms, **self._query_terms(parameters)}

    @torch.no_grad()
    def refresh(self, parameters: Parameters) -> None:
        """Take pi from the query as it is mapped now."""
        classification, transition = self._logits(parameters, self.query.unsqueeze(0))
        probabilities = (classification + transition)[0].flatten(1).softmax(dim=0)
        self.pi = query_losses.marginal(probabilities, self.query_weights)
        self.confident = query_losses.confident_labels(probabilities, self.transduction.confidence)

    def _targets(self, tile_classes: Sequence[int | None]) -> None:
        """For each pixel the classes its label allows, its weight and its margins."""
        tiles, height, width = self.labels.shape
        shape = (tiles, self.loss.num_classes, height, width)
        self.allowed = self.features.new_zeros(shape)
        self.omega = self.features.new_zeros(tiles, height, width)
        self.distilled = torch.zeros_like(self.omega)
        self.background = torch.zeros_like(self.allowed)
        self.margins = None if self.loss.margins is None else torch.zeros_like(self.allowed)
        for tile, tile_class in enumerate(tile_classes):
            for label in self.labels[tile].unique().tolist():
                rule = self.loss.rule(label, tile_class)
                where = (self.labels[tile] == label).to(self.features)
                classes = self.features.new_zeros(self.loss.num_classes)
                classes[rule.classes] = 1
                classes = 1 - classes if rule.others else classes
                self.allowed[tile] += classes[:, None, None] * where
                self.omega[tile] += rule.weight * where
                self.distilled[tile] += rule.distillation * where
                stands_for = torch.tensor(rule.background or [0.0] * len(classes)).to(classes)
                self.background[tile] += stands_for[:, None, None] * where
                if self.margins is not None and rule.margins is not None:
                    self.margins[tile] += rule.margins[:, None, None] * where

    def _distillation(self, probabilities: Tensor) -> Tensor:
        """Cross entropy to the frozen head at each support pixel ``[S, h, w]``."""
        frozen = _map(self.features, self.snapshot.weight, self.snapshot.bias).softmax(dim=1)
        background = (probabilities * self.background).sum(dim=1)
        base = (probabilities[:, 1 : self.loss.num_base] + EPSILON).log()
        own = (frozen[:, 1:] * base).sum(dim=1)
        return -(own + frozen[:, 0] * (background + EPSILON).log())

    def _query_terms(self, parameters: Parameters) -> Parameters:
        options, weights = self.transduction, self.query_weights
        if not options.active:
            return {}
        logits, transition = self._logits(parameters, self.query.unsqueeze(0))
        if options.query_logits == "full":
            logits = logits + transition
        probabilities = logits[0].flatten(1).softmax(dim=0)
        terms = {}
        if options.entropy:
            terms["entropy"] = options.entropy * query_losses.entropy(probabilities, weights)
        if options.kl and self.pi is not None:
            terms["kl"] = options.kl * query_losses.marginal_kl(probabilities, weights, self.pi)
        if options.distillation:
            frozen = self.snapshot.logits(self.query).flatten(1).softmax(dim=0)
            terms["distillation"] = options.distillation * query_losses.distillation(
                probabilities, frozen, weights
            )
        if options.self_training:
            terms["self_training"] = options.self_training * query_losses.self_training(
                probabilities, weights, *self.confident
            )
        return terms

    def _logits(self, parameters: Parameters, features: Tensor) -> tuple[Tensor, Tensor]:
        """Classification and transition logits ``[S, K, h, w]`` of ``features [S, C, h, w]``."""
        base = _map(features, parameters["base_weight"], parameters["base_bias"])
        novel = _map(features, parameters["novel_weight"], parameters["novel_bias"])
        frozen = _map(features, self.snapshot.weight, torch.zeros_like(self.snapshot.bias))
        logits = torch.cat([base, novel], dim=1)
        if isinstance(self.transition, RankOneTransition):
            columns = _map(features, parameters["col_weight"], parameters["col_bias"])
            rows = _map(features, parameters["row_weight"], parameters["row_bias"])
            matrix = columns.unsqueeze(2) * rows.unsqueeze(1)  # [S, K, B, h, w]
            moved = (matrix * frozen.unsqueeze(1)).sum(dim=2)
            return logits, parameters["layer_scale"][:, None, None] * moved
        maps = _map(features, *self.transition.maps(parameters)).flatten(2)
        moved = self.transition.logits(parameters, maps, frozen.flatten(2))
        return logits, moved.expand(*logits.flatten(2).shape).unflatten(2, logits.shape[2:])


def _map(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.einsum("schw,kc->skhw", features, weight) + bias[:, None, None]
