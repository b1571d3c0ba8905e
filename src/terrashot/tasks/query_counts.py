"""The counts of finished query tiles on disk, so that an interrupted evaluation goes on."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from terrashot.files import write_json


@dataclass(frozen=True)
class QueryCounts:
    """What one query tile adds to the scores.

    Args:
        name: the tile.
        adapted: counts [K, K] of the adapted head, rows = truth.
        base_model: counts [K, K] of the stage-1 head, which never predicts a novel class.
        seconds: features, adaptation and map together; features of the cache count with the time
            that they once took.
        diverged: whether the adaptation ran away (the published settings can).
        adaptation_seconds: the adaptation alone.
    """

    name: str
    adapted: Tensor
    base_model: Tensor
    seconds: float
    diverged: bool
    adaptation_seconds: float = 0.0


class QueryStore:
    """One small JSON file a finished query in ``<run folder>/queries``."""

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
            },
        )

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
                )
            )
        return found

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.json"
