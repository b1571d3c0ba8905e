"""Stage 2 by gradient descent: ClassTrans, DIaM and their variants."""

import warnings

import torch
from torch import Tensor, nn

from terrashot.adaptation.autograd_objective import AutogradObjective, Pixels
from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.objective import Objective
from terrashot.adaptation.options import AdapterOptions
from terrashot.adaptation.pixel_logits import Parameters, full_logits
from terrashot.adaptation.solver import Sgd
from terrashot.adaptation.start import base_to_novel, prototype_start, similarity_start
from terrashot.adaptation.striding import labels_to_size
from terrashot.adaptation.support import SupportFeatures
from terrashot.adaptation.support_loss import check_loss, make_support_loss
from terrashot.adaptation.transduction import Transduction
from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.errors import ConfigError, DataError, TerrashotError
from terrashot.similarity.estimator import SimilarityEstimator

TRANSITION_LIMIT = 1e3
"""Transition logits beyond this drown every other logit: the descent has diverged."""


class GradientAdapter:
    """Adapts head and transition to the support and, transductively, to one query.

    Args:
        solver: The descent.
        loss: Support loss: CrossEntropy or a kind of LDAM; its background is folded here.
        similarity: Estimator of the start, where the start is ``similarity``.
        transition: What is added to the classification logits; None for nothing.
        transduction: Query losses; None for none.
        options: All further settings by name, see ``AdapterOptions``.

    Raises:
        ConfigError: parts or settings that do not go together.
    """

    def __init__(
        self,
        *,
        solver: Sgd | None = None,
        loss: nn.Module | None = None,
        similarity: SimilarityEstimator | None = None,
        transition: Transition | None = None,
        transduction: Transduction | None = None,
        **options: str | float | int | None,
    ) -> None:
        self.options = AdapterOptions.from_dict(options)
        self.name = self.options.name
        if solver is None:
            raise ConfigError(
                f"method={self.name} needs a solver, but the group solver is null. Choose one, "
                "for example solver=classtrans."
            )
        if self.options.start == "similarity" and similarity is None:
            raise ConfigError(
                f"method={self.name} starts the novel head from a similarity, but the group "
                "similarity is null. Choose similarity=transport, or set method.start=prototype."
            )
        check_loss(loss)
        self.solver = solver
        self.loss = loss
        self.estimator = similarity
        self.transition = transition or NoTransition()
        self.transduction = transduction or Transduction()
        self.similarity: Tensor | None = None  # [base, novel], once the support is fitted

    @torch.no_grad()
    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportFeatures,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """Compute what all queries share: feature scale, start, margins, frozen scores."""
        if snapshot.weight.shape != (support.num_base, support.pixels.shape[0]):
            raise DataError(
                f"method={self.name}: the stage-1 head has shape {tuple(snapshot.weight.shape)}, "
                f"but the support has {support.num_base} base classes (background included) and "
                f"{support.pixels.shape[0]} channels. Head, features and taxonomy must come from "
                "one stage-1 checkpoint."
            )
        self.support = support
        self.seed = seed
        self.snapshot = snapshot.to(support.pixels)
        self.gain = self._gain(support)
        self._pixels = Pixels(support.pixels, self.snapshot.weight @ support.pixels)
        self._classifier = self._classifier_start()
        self._support_loss = make_support_loss(self.loss, support, self.options, base_counts)

    @torch.no_grad()
    def adapt(
        self,
        query_features: Tensor,
        query_valid: Tensor | None = None,
        *,
        seed: int = 0,
        start: Parameters | None = None,
    ) -> AdaptedHead:
        """Adapt to one query; see ``Adapter``. ``start`` replaces parameters of the start."""
        parameters = self.start_parameters(seed)
        for name, value in (start or {}).items():
            parameters[name] = value.to(self.support.pixels)
        objective, query = self._objective(query_features, query_valid, parameters)
        parameters, history = self.solver.solve(parameters, objective, self.options.history_every)
        return AdaptedHead(
            parameters=parameters,
            transition=self.transition,
            snapshot_weight=self.snapshot.weight,
            gain=self.gain,
            diverged=self._diverged(parameters, query),
            history=history,
            pi=objective.pi,
        )

    def start_parameters(self, seed: int = 0) -> Parameters:
        """Parameters before the first iteration: a function of the seeds alone.

        With ``start_seed=query`` every query draws its own, with ``shared`` all have the same, so
        that results depend on the order of the queries in neither case.
        """
        own = self.options.start_seed == "query"
        seed = self.seed * 1_000_003 + seed if own else self.seed
        support = self.support
        drawn = self.transition.initial(
            support.num_base,
            support.num_classes,
            support.pixels.shape[0],
            torch.Generator().manual_seed(seed),
        )
        return {
            **{name: value.clone() for name, value in self._classifier.items()},
            **{name: value.to(support.pixels) for name, value in drawn.items()},
        }

    def _gain(self, support: SupportFeatures) -> float:
        """Factor that brings the features to the length that the step sizes are made for."""
        if self.options.reference_norm is None:
            return 1.0
        norm = support.rms_norm
        if norm == 0:
            raise DataError(
                "support: all features are 0, so nothing can be learnt from them. The stage-1 "
                "network is broken: check the checkpoint and its validation score."
            )
        return self.options.reference_norm / norm

    def _classifier_start(self) -> Parameters:
        """Base head from the snapshot, novel head by the chosen start, for scaled features."""
        scaled = LinearHead(self.snapshot.weight / self.gain, self.snapshot.bias)
        num_novel = self.support.num_novel
        if self.estimator is not None:
            self.similarity = base_to_novel(self.estimator, self.snapshot, self.support, self.gain)
        if self.options.start == "similarity" and self.similarity is not None:
            mass = 1 / num_novel if self.options.start_mass == "per_novel" else 1.0
            novel = similarity_start(self.similarity, scaled, mass)
        elif self.options.start == "prototype":
            novel = prototype_start(self.support)
        else:
            novel = scaled.weight.new_zeros(num_novel, scaled.weight.shape[1])
        return {
            "base_weight": scaled.weight,
            "base_bias": scaled.bias,
            "novel_weight": novel,
            "novel_bias": scaled.bias.new_zeros(num_novel),
        }

    def _objective(
        self, features: Tensor, valid: Tensor | None, parameters: Parameters
    ) -> tuple[Objective, Pixels]:
        """What the solver minimises for one query, and the query's pixels."""
        if features.shape[0] != self.support.pixels.shape[0] or features.ndim != 3:
            raise DataError(
                f"query: its features have shape {tuple(features.shape)}, but the support has "
                f"{self.support.pixels.shape[0]} channels; expected [C, h, w] from one network."
            )
        pixels = features.to(self.support.pixels).flatten(1)  # [C, P]
        if not bool(torch.isfinite(pixels.sum(dtype=torch.float64))):
            raise DataError(
                "query: the features hold NaN or infinite values, but adaptation needs finite "
                "ones. Check the tile, or use full instead of half precision for features."
            )
        size = (features.shape[1], features.shape[2])
        if self.transduction.query_weights == "support_validity":
            weights = self.support.validity(size)
        elif valid is None:
            weights = torch.ones(size, device=pixels.device)
        else:
            weights = labels_to_size(valid, size)
        query = Pixels(pixels, self.snapshot.weight @ pixels)
        objective = AutogradObjective(
            support=self._pixels,
            support_loss=self._support_loss,
            support_weight=self.options.support_weight,
            query=query,
            query_weights=weights.flatten().to(pixels),
            snapshot_bias=self.snapshot.bias,
            transition=self.transition,
            transduction=self.transduction,
            parameters=parameters,
            gain=self.gain,
        )
        return objective, query

    def _diverged(self, parameters: Parameters, query: Pixels) -> bool:
        """Whether the outcome is out of range; says so, or refuses it."""
        classification, transition = full_logits(
            parameters, self.transition, query.features, query.scores, self.gain
        )
        finite = bool(torch.isfinite((classification + transition).sum()))
        largest = float(transition.abs().max())
        if finite and largest <= TRANSITION_LIMIT:
            return False
        found = f"transition logits of {largest:.3g}" if finite else "logits that are not finite"
        message = (
            f"method={self.name}: the descent diverged on this query, with {found}; logits of "
            f"some tens are usual. A smaller step (solver.lr, now {self.solver.lr:g}) or "
            "transition=none mends it."
        )
        if not finite and self.options.on_divergence == "raise":
            raise TerrashotError(message)
        warnings.warn(message, stacklevel=3)
        return True
