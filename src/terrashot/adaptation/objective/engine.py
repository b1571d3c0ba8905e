"""The stage-2 objective with analytic gradients, one pass over the pixels an iteration."""

from collections import defaultdict
from collections.abc import Sequence
from threading import Event

import torch
from torch import Tensor

from terrashot.adaptation.objective.objective import Terms
from terrashot.adaptation.objective.parameters import ParameterLayout
from terrashot.adaptation.objective.pixel_logits import Parameters
from terrashot.adaptation.objective.query_pass import QueryPass
from terrashot.adaptation.objective.support_pass import GradientSum, SupportPass
from terrashot.adaptation.objective.workers import WorkerPool, shares
from terrashot.adaptation.support.scaling import FeatureScale


class AnalyticObjective:
    """Support loss and query losses of Q queries in one pass, without autograd.

    Each worker walks over its own blocks: first those of the queries, whose class shares belong
    to all workers, then those of the support, and by then the others' shares are there. Sums are
    formed in a fixed order, so the outcome depends on the number of workers by rounding alone.

    Args:
        support: The support's pass.
        queries: One pass a query, in the order of the parameter vectors; none: the support alone.
        layout: Of the parameters.
        origin: Classifier weights ``[K, C]`` that the blocks' scores are made of.
        scale: What the parameters take the features for.
        storage: dtype of the stored features.
        pool: The workers.
    """

    def __init__(
        self,
        support: SupportPass,
        queries: Sequence[QueryPass],
        layout: ParameterLayout,
        origin: Tensor,
        scale: FeatureScale,
        storage: torch.dtype,
        pool: WorkerPool,
    ) -> None:
        self.support = support
        self.queries = list(queries)
        self.layout = layout
        self.origin = origin
        self.scale = scale
        self.storage = storage
        self.pool = pool
        loads = [0] * pool.size
        parts = [(query, i) for query in self.queries for i in range(len(query.blocks))]
        sizes = [query.blocks[i].weights.shape[0] for query, i in parts]
        self._query_shares = shares(parts, sizes, loads)
        # A support block serves all queries at once.
        each = max(1, len(self.queries))
        sizes = [each * labelled.block.pixels.shape[1] for labelled in support.blocks]
        self._support_shares = shares(support.blocks, sizes, loads)

    @property
    def pi(self) -> list[Tensor | None]:
        """Of each parameter vector, the class shares ``[K]`` that the KL term pulls to."""
        return [query.pi for query in self.queries]

    def begin(self, vectors: Tensor) -> None:
        """Take the first class shares, at the start."""
        chosen = {query.index for query in self.queries if query.transduction.active}
        self._refresh(chosen, set(), vectors)
        for query in self.queries:
            if query.transduction.pi == "uniform" and query.pi is not None:
                query.pi = torch.full_like(query.pi, 1 / len(query.pi))

    def gradient(self, vectors: Tensor, iteration: int) -> tuple[Tensor, Terms]:
        """See ``Objective``."""
        weight, biases, others = self._operands(vectors)
        partial: list[list[Tensor | None]] = [[None] * len(q.blocks) for q in self.queries]
        ready = [Event() for _ in range(self.pool.size)]

        def work(worker: int) -> tuple[Tensor, Tensor, list[tuple[int, Terms]]]:
            try:
                for query, number in self._query_shares[worker]:
                    if query.transduction.active:
                        partial[query.index][number] = query.forward(number, weight, biases, others)
            finally:
                ready[worker].set()  # also when it failed, or the others would wait for ever
            total = GradientSum(self.layout, vectors.shape[0], vectors)
            loss = vectors.new_zeros(vectors.shape[0])
            for labelled in self._support_shares[worker]:
                loss += self.support.add_block(labelled, weight, biases, others, iteration, total)
            terms = []
            for event in ready:
                event.wait()
            for query, number in self._query_shares[worker]:
                if query.transduction.active:
                    marginal = _sum(partial[query.index])  # all workers form it in one order
                    terms.append((query.index, query.backward(number, marginal, others, total)))
            return total.vector(self.scale), loss, terms

        results = self.pool.run(work)
        gradient, loss = results[0][0], results[0][1]
        for more, more_loss, _ in results[1:]:
            gradient = gradient + more
            loss = loss + more_loss
        rows = [row for _, _, worker_terms in results for row in worker_terms]
        return gradient, self._terms(loss, rows, partial)

    def after_iteration(self, vectors: Tensor, finished: int) -> None:
        """Refresh pi and confident labels where the transduction says so."""
        active = [query for query in self.queries if query.transduction.active]
        shares_due = {q.index for q in active if q.transduction.refreshes(finished)}
        labels_due = {q.index for q in active if q.transduction.relabels(finished)}
        self._refresh(shares_due, labels_due, vectors)

    def _operands(self, vectors: Tensor) -> tuple[Tensor, Tensor, Parameters]:
        """Weights less the origin's ``[Q R, C]``, biases ``[Q, R, 1]``, and the rest."""
        weight, biases = self.scale.to_raw(
            self.layout.weights(vectors), self.layout.biases(vectors)
        )
        weight[:, : self.layout.num_classes] -= self.origin
        others = self.layout.others(vectors)
        return weight.flatten(0, 1).to(self.storage), biases.unsqueeze(-1), others

    def _refresh(self, shares_due: set[int], labels_due: set[int], vectors: Tensor) -> None:
        """Take class shares and confident labels of some queries as inference sees them."""
        chosen = shares_due | labels_due
        if not chosen:
            return
        weight, biases, others = self._operands(vectors)
        partial: list[list[Tensor | None]] = [[None] * len(q.blocks) for q in self.queries]

        def work(worker: int) -> None:
            for query, number in self._query_shares[worker]:
                if query.index in chosen:
                    partial[query.index][number] = query.shares(
                        number, weight, biases, others, relabel=query.index in labels_due
                    )

        self.pool.run(work)
        for query in self.queries:
            if query.index in shares_due:
                query.pi = _sum(partial[query.index])

    def _terms(
        self,
        support: Tensor,
        rows: list[tuple[int, Terms]],
        partial: list[list[Tensor | None]],
    ) -> Terms:
        found: dict[str, Tensor] = defaultdict(lambda: torch.zeros_like(support))
        found["support"] = support
        for index, terms in rows:
            for name, value in terms.items():
                found[name][index] += value
        for query in self.queries:
            if query.transduction.active:
                divergence = query.kl_term(_sum(partial[query.index]))
                if divergence is not None:
                    found["kl"][query.index] += divergence
        return dict(found)


def _sum(parts: Sequence[Tensor | None]) -> Tensor:
    """The sum of all parts in their order."""
    return torch.stack([part for part in parts if part is not None]).sum(dim=0)
