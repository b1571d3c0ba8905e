"""The counts of finished query tiles on disk, so that an interrupted evaluation goes on."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from terrashot.files import write_json
from terrashot.reporting.class_map import save_class_map
from terrashot.taxonomy import Taxonomy

PICTURE_SIDE = 512
"""Longest side in pixels of the maps that are kept for the report."""


@dataclass(frozen=True)
class QueryCounts:
    """What one query tile adds to the scores.

    Args:
        name: the tile.
        adapted: counts [K, K] of the adapted head's map, rows = truth.
        base_model: counts [K, K] of the stage-1 head, which never predicts a novel class.
        seconds: features, adaptation and map together; features of the cache count with the time
            that they once took.
        diverged: whether the adaptation ran away (the published settings can).
        adaptation_seconds: the adaptation alone.
        rules: counts [R, K, K] of the map after each rule of the post-processing, in order.
        transition: mean transition matrix [K, B] of the adapted head; None without one.
        reliability: confidence and accuracy [1 or 2, bins, 3], as they come and, where the model
            is calibrated, calibrated; None in the files of earlier versions.
    """

    name: str
    adapted: Tensor
    base_model: Tensor
    seconds: float
    diverged: bool
    adaptation_seconds: float = 0.0
    rules: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    transition: Tensor | None = None
    reliability: Tensor | None = None

    @property
    def final(self) -> Tensor:
        """Counts [K, K] of the finished map: after the last rule, where there are rules."""
        return self.rules[-1] if len(self.rules) else self.adapted


class QueryStore:
    """One small JSON file a finished query in ``<run folder>/queries``, its map beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, counts: QueryCounts) -> None:
        """Write the counts of a query, whole or not at all."""
        write_json(
            self._path(counts.name),
            {
                "name": counts.name,
                "adapted": counts.adapted.tolist(),
                "base_model": counts.base_model.tolist(),
                "seconds": round(counts.seconds, 4),
                "diverged": counts.diverged,
                "adaptation_seconds": round(counts.adaptation_seconds, 4),
                "rules": counts.rules.tolist(),
                "transition": _plain(counts.transition),
                "reliability": _rounded(counts.reliability),
            },
        )

    def save_map(self, name: str, prediction: Tensor, taxonomy: Taxonomy) -> None:
        """Keep a small picture of a prediction (class ids [H, W]) for the report.

        Comes before ``save``: a query with counts has its picture, however the run ended.
        """
        ids = prediction.detach().to(torch.uint8).cpu().numpy()
        save_class_map(self.map_path(name), ids, taxonomy, PICTURE_SIDE)

    def map_path(self, name: str) -> Path:
        """Where the map of a query lies; runs of earlier versions have none."""
        return self._path(name).with_suffix(".png")

    def load(self) -> list[QueryCounts]:
        """All queries finished so far, by name."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            value = json.loads(path.read_text(encoding="utf-8"))
            found.append(
                QueryCounts(
                    name=value["name"],
                    adapted=torch.tensor(value["adapted"], dtype=torch.int64),
                    base_model=torch.tensor(value["base_model"], dtype=torch.int64),
                    seconds=float(value["seconds"]),
                    diverged=bool(value["diverged"]),
                    adaptation_seconds=float(value.get("adaptation_seconds", 0.0)),
                    rules=torch.tensor(value.get("rules", []), dtype=torch.int64),
                    transition=_matrix(value.get("transition")),
                    reliability=_matrix(value.get("reliability")),
                )
            )
        return found

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.json"


def average_transition(queries: Sequence[QueryCounts]) -> Tensor | None:
    """Mean of the transition matrices, float64 [K, B], over the queries that did not diverge."""
    found = [q.transition for q in queries if q.transition is not None and not q.diverged]
    return torch.stack(found).mean(dim=0) if found else None


def _plain(matrix: Tensor | None) -> list[list[float]] | None:
    if matrix is None or not bool(torch.isfinite(matrix).all()):
        return None  # JSON has no nan
    return [[float(f"{value:.6g}") for value in row] for row in matrix.tolist()]


def _rounded(sums: Tensor | None) -> list[Any] | None:
    return None if sums is None else (sums * 1000).round().div(1000).tolist()


def _matrix(value: list[Any] | None) -> Tensor | None:
    return None if value is None else torch.tensor(value, dtype=torch.float64)
