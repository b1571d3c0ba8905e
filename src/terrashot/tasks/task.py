"""The interface of a task: its settings, its checks, its run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.settings.runs import RunSettings

S = TypeVar("S", bound=RunSettings)


class Task(ABC, Generic[S]):
    """One value of ``task:``. A new task is one such class in a file of its own.

    A task file is read whenever anything is composed, so it imports torch and all that needs it
    inside of its methods.

    Attributes:
        name: The value of ``task:`` in an experiment.
        experiment: The experiment that runs it with its defaults.
        settings: Its Settings class.
        data_kinds: The values of ``data.kind`` that it reads.
        stands_for: Name of the task whose place it takes on data of its kinds, so that one
            experiment runs on both. What that experiment sets and this task does not read is left
            out; what the command line sets is not.
        tiles: The parts of the tile layout (``FewShotLayout``) that it reads: their lists and the
            existence of their files are checked before the run.
        needs_stage1: Whether it starts from a stage-1 checkpoint (``checkpoint=``).
        trains: Whether it trains a network, so that devices multiply the batch and
            ``callbacks.monitor`` chooses a checkpoint.
        averaged: Keys of ``data`` over which the table of a multirun ends in means: the folds of
            a benchmark.
    """

    name: ClassVar[str]
    experiment: ClassVar[str]
    settings: ClassVar[type[RunSettings]]
    data_kinds: ClassVar[Sequence[str]] = ("tiles",)
    stands_for: ClassVar[str | None] = None
    tiles: ClassVar[Sequence[str]] = ()
    needs_stage1: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    averaged: ClassVar[Sequence[str]] = ()

    def check(self, settings: S, bench: Bench) -> None:
        """Raise a TerrashotError for what can't work and no general check finds."""

    def fill_in(self, settings: S) -> None:
        """Set what the settings leave to the data, so that the run's record has it.

        Raises:
            ConfigError: settings that do not go together.
            DataError: what is asked can't be read.
        """

    def reads(self, settings: S) -> Sequence[str] | None:
        """The parts of the tile layout that a run reads; None: it needs no tiles at all."""
        return self.tiles

    def inputs(self, settings: S, bench: Bench) -> Sequence[Path]:
        """Files beside tiles and stage-1 checkpoint on whose content the scores depend."""
        return bench.files()

    def scores_queries(self, settings: S) -> bool:
        """Whether the scores of this run are taken on the query tiles."""
        return "query" in self.tiles

    def monitored(self, settings: S) -> list[str]:
        """The metrics that ``callbacks.monitor`` may name; asked of tasks that have it."""
        return self.metrics(settings)

    @abstractmethod
    def metrics(self, settings: S) -> list[str]:
        """The metrics that ``optimized_metric`` may name."""

    @abstractmethod
    def run(self, settings: S, run: Run) -> None:
        """Run it."""

    @abstractmethod
    def sweep_score(self, settings: S) -> str:
        """The score that the table of a sweep compares options by."""

    def sweep_scores(self, settings: S, results: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a sweep's table, from ``results.json``: of the best epoch, if any."""
        main = self.sweep_score(settings)
        return {main: (results.get("best") or results["metrics"]).get(main)}
