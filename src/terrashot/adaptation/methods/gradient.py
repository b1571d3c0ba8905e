"""Stage 2 by gradient descent: ClassTrans, DIaM and their variants."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.method import Query
from terrashot.adaptation.methods.label_shift import shift_of_biases, support_shares
from terrashot.adaptation.methods.options import GradientOptions
from terrashot.adaptation.methods.start import base_to_novel, classifier_start
from terrashot.adaptation.objective.parameters import ParameterLayout
from terrashot.adaptation.objective.pixel_logits import Parameters, full_logits
from terrashot.adaptation.objective.problem import AdaptationProblem, QueryPixels
from terrashot.adaptation.objective.support_loss import check_loss, make_support_loss
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.adaptation.solver.anchored import AnchoredSgd
from terrashot.adaptation.solver.lbfgs import Lbfgs
from terrashot.adaptation.solver.sgd import History, Sgd
from terrashot.adaptation.striding import labels_to_size
from terrashot.adaptation.support.checks import all_finite
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import FeatureScale, standardised, to_norm, unscaled
from terrashot.adaptation.support.weighting import SupportWeighting
from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.errors import ConfigError, DataError, TerrashotError
from terrashot.similarity.estimator import SimilarityEstimator

TRANSITION_LIMIT = 1e3
"""Transition logits beyond this drown every other logit: the descent has diverged."""


class GradientMethod:
    """Adapts head and transition to the support and, transductively, to one query.

    Args:
        solver: The descent.
        loss: Support loss: CrossEntropy or a kind of LDAM; its background is folded here.
        similarity: Estimator of the start, where the start is ``similarity``.
        transition: What is added to the classification logits; None for nothing.
        transduction: Query losses; None for none.
        support_weighting: How far each support pixel is trusted; None: all alike.
        workers: Threads; None: as many as torch uses.
        options: All further settings by name, see ``GradientOptions``.

    Raises:
        ConfigError: parts or settings that do not go together.
    """

    def __init__(
        self,
        *,
        solver: Sgd | Lbfgs | None = None,
        loss: nn.Module | None = None,
        similarity: SimilarityEstimator | None = None,
        transition: Transition | None = None,
        transduction: Transduction | None = None,
        support_weighting: SupportWeighting | None = None,
        workers: int | None = None,
        **options: str | float | int | None,
    ) -> None:
        self.options = GradientOptions.from_dict(options)
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
        if self.options.needs_query and not (transduction and transduction.active):
            raise ConfigError(
                f"method={self.name} weighs the support for heads that learn from the query too, "
                "but no query loss has a weight. Set transduction=keep_base (with "
                "experiment=adapt also input=), or take method=terrashot."
            )
        check_loss(loss)
        if isinstance(solver, AnchoredSgd) and self.options.start_seed == "query":
            raise ConfigError(
                f"method={self.name}: the fast solver follows one descent for all queries, but "
                "method.start_seed=query draws each query a start of its own. Set "
                "method.start_seed=shared, or use an exact solver."
            )
        self.solver = solver
        self.loss = loss
        self.estimator = similarity
        self.transition = transition or NoTransition()
        self.transduction = transduction or Transduction()
        self.support_weighting = support_weighting
        self.workers = workers
        self.similarity: Tensor | None = None  # [base, novel], once the support is fitted

    @torch.no_grad()
    def fit_support(
        self,
        snapshot: LinearHead,
        support: SupportPixels,
        *,
        seed: int = 0,
        base_counts: Tensor | None = None,
    ) -> None:
        """Compute what all queries share: feature scale, start, margins, frozen scores."""
        if snapshot.weight.shape != (support.num_base, support.channels):
            raise DataError(
                f"method={self.name}: the stage-1 head has shape {tuple(snapshot.weight.shape)}, "
                f"but the support has {support.num_base} base classes (background included) and "
                f"{support.channels} channels. Head, features and taxonomy must come from "
                "one stage-1 checkpoint."
            )
        if not bool(torch.isfinite(snapshot.weight).all() & torch.isfinite(snapshot.bias).all()):
            raise DataError(
                f"method={self.name}: the stage-1 head holds NaN or infinite values. Its training "
                "has diverged: look at its loss, and take an earlier checkpoint."
            )
        if self.support_weighting is not None:
            support = self.support_weighting.weigh(support, seed)
        self.support = support
        self.seed = seed
        self.snapshot = snapshot.to(support.like)
        self.scale = self._scale(support)
        if self.estimator is not None:
            self.similarity = base_to_novel(self.estimator, self.snapshot, support, self.scale)
        self._classifier = classifier_start(
            self.options, self.snapshot, support, self.scale, self.similarity
        )
        start = self.start_parameters()
        self._layout = ParameterLayout(start, self.transition, support.num_base, support.num_novel)
        novel = self._classifier["novel_weight"], self._classifier["novel_bias"]
        novel_origin, _ = self.scale.to_raw(*novel)
        self._loss = make_support_loss(self.loss, support, self.options, base_counts)
        self._problem = AdaptationProblem(
            support=support,
            snapshot=self.snapshot,
            origin=torch.cat([self.snapshot.weight, novel_origin]),
            loss=self._loss,
            support_weight=self.options.support_weight,
            layout=self._layout,
            transition=self.transition,
            transduction=self.transduction,
            scale=self.scale,
            workers=self.workers,
        )
        self.solver.prepare(self._problem, self._layout.pack(start, support.like))
        self._known: tuple[Tensor, Tensor, History] | None = None

    def adapt(
        self, query_features: Tensor, query_valid: Tensor | None = None, *, seed: int = 0
    ) -> AdaptedHead:
        """Adapt to one query; see ``Method``."""
        return self.adapt_together([Query(query_features, query_valid, seed)])[0]

    @torch.no_grad()
    def adapt_together(self, queries: Sequence[Query]) -> list[AdaptedHead]:
        """Adapt to several queries in one pass over the support, each by itself.

        Results are those of ``adapt`` up to rounding. A pass reads the support once for all of
        them, and its matrix products have more rows: on a CPU four queries take 2.5 to 2.8
        times as long as one (`scripts/benchmark_adaptation.py`).
        """
        pixels = [self._pixels(query) for query in queries]
        starts = [
            self._layout.pack(self.start_parameters(query.seed), self.support.like)
            for query in queries
        ]
        watched = pixels if self.transduction.active else []
        if watched:
            vectors, history, pi = self.solver.solve(
                self._problem, torch.stack(starts), watched, self.options.history_every
            )
        else:
            vectors, history, pi = self._without_query(starts)
        heads = []
        for index, own in enumerate(pixels):
            parameters = {
                name: value.clone() for name, value in self._layout.unpack(vectors[index]).items()
            }
            logits, diverged = self._outcome(parameters, own.pixels)
            if self.transduction.label_shift and not diverged:
                self._shift_biases(parameters, logits, own.weights)
            heads.append(
                AdaptedHead(
                    parameters=parameters,
                    transition=self.transition,
                    snapshot_weight=self.snapshot.weight,
                    scale=self.scale,
                    diverged=diverged,
                    history=history[index],
                    pi=pi[index] if pi else None,
                )
            )
        return heads

    def _without_query(
        self, starts: list[Tensor]
    ) -> tuple[Tensor, list[History], list[Tensor | None]]:
        """Adapt to the support alone: queries that start alike have one and the same outcome."""
        vectors, histories = [], []
        for start in starts:
            if self._known is None or not torch.equal(self._known[0], start):
                solved, history, _ = self.solver.solve(
                    self._problem, start.unsqueeze(0), [], self.options.history_every
                )
                self._known = start, solved[0], history[0]
            vectors.append(self._known[1])
            histories.append(self._known[2])
        return torch.stack(vectors), histories, []

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
            support.channels,
            torch.Generator().manual_seed(seed),
            self.similarity,
        )
        return {
            **{name: value.clone() for name, value in self._classifier.items()},
            **{name: value.to(support.like) for name, value in drawn.items()},
        }

    def _scale(self, support: SupportPixels) -> FeatureScale:
        """What brings the features to the size that the step sizes are made for."""
        if self.options.scaling == "standardise":
            return standardised(support)
        if self.options.reference_norm is None:
            return unscaled(support.like)
        return to_norm(support, self.options.reference_norm)

    def _pixels(self, query: Query) -> QueryPixels:
        """The query's pixels and how much each counts."""
        features = query.features
        if features.ndim != 3 or features.shape[0] != self.support.channels:
            raise DataError(
                f"query: its features have shape {tuple(features.shape)}, but the support has "
                f"{self.support.channels} channels; expected [C, h, w] from one network."
            )
        pixels = features.to(self.support.like).flatten(1)  # [C, P]
        if not all_finite(pixels):
            raise DataError(
                "query: the features hold NaN or infinite values, but adaptation needs finite "
                "ones. Check the tile, or use full instead of half precision for features."
            )
        size = (features.shape[1], features.shape[2])
        if self.transduction.query_weights == "support_validity":
            weights = self.support.validity(size)
        elif query.valid is None:
            weights = torch.ones(size, device=pixels.device)
        else:
            weights = labels_to_size(query.valid, size)
        return QueryPixels(pixels, weights.flatten().to(pixels))

    def _shift_biases(self, parameters: Parameters, logits: Tensor, weights: Tensor) -> None:
        """Correct the biases for the class shares of the query."""
        prior = support_shares(self.support, self._loss, lambda x: self._logits(parameters, x)[0])
        strength = self.transduction.label_shift
        shift = shift_of_biases(logits.softmax(dim=0), weights, prior, strength)
        parameters["base_bias"] += shift[: self.support.num_base]
        parameters["novel_bias"] += shift[self.support.num_base :]

    def _logits(self, parameters: Parameters, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Full logits ``[K, P]`` and the transition's part of them."""
        frozen = self.snapshot.weight @ pixels
        classification, transition = full_logits(
            parameters, self.transition, pixels, frozen, self.scale
        )
        return classification + transition, transition

    def _outcome(self, parameters: Parameters, pixels: Tensor) -> tuple[Tensor, bool]:
        """Logits ``[K, P]`` of the query, and whether they are out of range: said, or refused."""
        logits, transition = self._logits(parameters, pixels)
        finite = bool(torch.isfinite(logits.sum()))
        largest = float(transition.abs().max())
        if finite and largest <= TRANSITION_LIMIT:
            return logits, False
        found = f"transition logits of {largest:.3g}" if finite else "logits that are not finite"
        message = (
            f"method={self.name}: the descent diverged on this query, with {found}; logits of "
            f"some tens are usual. {self.solver.remedy}, or transition=none, mends it."
        )
        if not finite and self.options.on_divergence == "raise":
            raise TerrashotError(message)
        warnings.warn(message, stacklevel=4)
        return logits, True
