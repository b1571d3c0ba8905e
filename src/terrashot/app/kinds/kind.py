"""What `run.py` has to know of a task before and after it runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.taxonomy import Taxonomy


class TaskKind(ABC):
    """One value of ``task:``. A new task is one such class and its line in ``registry.py``.

    Attributes:
        name: The value of ``task:`` in an experiment.
        needed: Groups that must not be null.
        refused: Groups that must be null, each with the sentence that says why and what to do.
        needs_stage1: Whether it starts from a stage-1 checkpoint (``checkpoint=``).
        trains: Whether it trains a network, so that devices multiply the batch and
            ``callbacks.monitor`` chooses a checkpoint.
    """

    name: ClassVar[str]
    needed: ClassVar[Sequence[str]] = ()
    refused: ClassVar[Mapping[str, str]] = {}
    needs_stage1: ClassVar[bool] = False
    trains: ClassVar[bool] = True

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:  # noqa: B027 - often nothing
        """Raise a TerrashotError for what can't work and no general check finds."""

    def check_tiles(self, layout: FewShotLayout) -> None:  # noqa: B027 - a task without tiles
        """Read the lists of the tiles that it uses, which checks that all files are there."""

    def inputs(self, settings: Settings) -> Sequence[Path]:
        """Files beside tiles and stage-1 checkpoint on whose content the scores depend."""
        return ()

    def monitored(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """The metrics that ``callbacks.monitor`` may name; asked of tasks that train."""
        return self.metrics(settings, taxonomy)

    @abstractmethod
    def metrics(self, settings: Settings, taxonomy: Taxonomy) -> list[str]:
        """The metrics that ``optimized_metric`` may name."""

    @abstractmethod
    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Run it. Implementations import what they need inside: start-up is seconds shorter."""

    def sweep_score(self, settings: Settings) -> str:
        """The score that the table of a sweep compares options by."""
        return settings.callbacks.monitor

    def sweep_scores(self, settings: Settings, results: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a sweep's table, from ``results.json``."""
        main = self.sweep_score(settings)
        return {main: results["best"].get(main)}
