"""Fast gradient descent: a share of the support, corrected along a known trajectory."""

from torch import Tensor

from terrashot.adaptation.objective.engine import AnalyticObjective
from terrashot.adaptation.objective.objective import QueryObjective, Terms
from terrashot.adaptation.objective.problem import AdaptationProblem, QueryPixels
from terrashot.adaptation.objective.support_pass import LabelledBlock
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.errors import ConfigError
from terrashot.ranges import check_range


class AnchoredSgd(Sgd):
    """Descent whose support gradient is an anchored control variate.

    Once for all queries, the support alone is descended on, and for every iteration t the
    difference of the full and the subset's gradient at its parameters theta_t is kept. A query
    then needs the subset only: ``g = g_sub(theta) + [g_full(theta_t) - g_sub(theta_t)]``. What is
    left of the error is measured by a full pass every few iterations and carried on.

    Args:
        background: Share of the support pixels of label 0 in the subset.
        novel: Share of the others.
        full_every: Iterations between two full passes.
        seed: Of the subset.
        descent: Settings of ``Sgd``.
    """

    def __init__(
        self,
        background: float = 0.01,
        novel: float = 0.04,
        full_every: int = 26,
        seed: int = 0,
        **descent: float | int | str,
    ) -> None:
        super().__init__(**descent)  # type: ignore[arg-type]
        for name, share in {"background": background, "novel": novel}.items():
            if not 0 < share <= 1:
                raise ConfigError(f"solver.{name} is {share}, but a share is above 0 and up to 1.")
        check_range("solver.full_every", full_every, whole=True, at_least=1)
        check_range("solver.seed", seed, whole=True, at_least=0)
        self.background = background
        self.novel = novel
        self.full_every = full_every
        self.seed = seed

    def prepare(self, problem: AdaptationProblem, start: Tensor) -> None:
        """Descend on the support alone, keeping what the subset misses at each step."""
        self._blocks = problem.subset(self.background, self.novel, self.seed)
        recorder = _Recorder(problem.objective(), problem.objective(blocks=self._blocks))
        self.descend(start.unsqueeze(0), recorder, history_every=0)
        self._missed = recorder.missed

    def objective(self, problem: AdaptationProblem, queries: list[QueryPixels]) -> QueryObjective:
        """The subset's objective, corrected along the trajectory."""
        return _Anchored(problem, queries, self._blocks, self._missed, self.full_every)


class _Recorder:
    """The full support objective, noting what the subset's gradient misses."""

    def __init__(self, full: AnalyticObjective, subset: AnalyticObjective) -> None:
        self.full = full
        self.subset = subset
        self.missed: list[Tensor] = []

    def gradient(self, vectors: Tensor, iteration: int) -> tuple[Tensor, Terms]:
        """The full gradient."""
        gradient, terms = self.full.gradient(vectors, iteration)
        self.missed.append(gradient - self.subset.gradient(vectors, iteration)[0])
        return gradient, terms

    def after_iteration(self, vectors: Tensor, finished: int) -> None:
        """Nothing is held fixed."""


class _Anchored:
    """Query losses and the subset's support loss, corrected."""

    def __init__(
        self,
        problem: AdaptationProblem,
        queries: list[QueryPixels],
        blocks: list[LabelledBlock],
        missed: list[Tensor],
        full_every: int,
    ) -> None:
        self.subset = problem.objective(queries, blocks)
        self._subset_alone = problem.objective(blocks=blocks)
        self._full_alone = problem.objective()
        self._missed = missed
        self._full_every = full_every
        self._carried: Tensor | float = 0.0

    @property
    def pi(self) -> list[Tensor | None]:
        """See ``QueryObjective``."""
        return self.subset.pi

    def begin(self, vectors: Tensor) -> None:
        """See ``QueryObjective``."""
        self.subset.begin(vectors)

    def gradient(self, vectors: Tensor, iteration: int) -> tuple[Tensor, Terms]:
        """The corrected gradient; the loss terms are those of the subset."""
        gradient, terms = self.subset.gradient(vectors, iteration)
        if iteration and iteration % self._full_every == 0:
            full = self._full_alone.gradient(vectors, iteration)[0]
            missed = full - self._subset_alone.gradient(vectors, iteration)[0]
            self._carried = missed - self._missed[iteration]
        return gradient.add_(self._missed[iteration]).add_(self._carried), terms

    def after_iteration(self, vectors: Tensor, finished: int) -> None:
        """Refresh what the query losses hold fixed."""
        self.subset.after_iteration(vectors, finished)
