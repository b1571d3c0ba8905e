"""What a look over a dataset found."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from terrashot.data.moments import Moments

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One observation.

    An error stops training or makes its scores wrong; a warning is worth a look; a note is
    normal for some datasets.

    Attributes:
        level: how grave it is.
        kind: what sort of fault, the same words for the same sort.
        subject: the file, or the list, that it is about.
        message: what was found, what was expected, how to mend it.
    """

    level: Level
    kind: str
    subject: str
    message: str


@dataclass
class SplitSummary:
    """Tiles and labelled pixels of one split.

    Attributes:
        counts: Pixels by label id [256].
        moments: Of the image pixels with data, in 0..1.
    """

    tiles: int = 0
    labelled: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    moments: Moments = field(default_factory=Moments)

    @property
    def statistics(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation of each channel in 0..1; None without a pixel."""
        if not self.moments.number:
            return None
        return self.moments.mean.tolist(), np.sqrt(self.moments.variance).tolist()


@dataclass
class DatasetReport:
    """All findings, the splits, and how many image tiles have each size, CRS and pixel size."""

    root: str
    findings: list[Finding] = field(default_factory=list)
    splits: dict[str, SplitSummary] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)
    crs: Counter[str] = field(default_factory=Counter)
    pixel_sizes: Counter[str] = field(default_factory=Counter)

    def of(self, level: Level) -> list[Finding]:
        """The findings of one level."""
        return [f for f in self.findings if f.level == level]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.of("error")

    @property
    def verdict(self) -> str:
        """One glance: ``OK``, or the numbers of errors and warnings."""
        errors, warnings = len(self.of("error")), len(self.of("warning"))
        if not errors and not warnings:
            return "OK"
        counts = f"{_number(errors, 'error')}, {_number(warnings, 'warning')}"
        return counts if errors else f"OK ({counts})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "root": self.root,
            "ok": self.ok,
            "errors": len(self.of("error")),
            "warnings": len(self.of("warning")),
            "findings": [vars(f) for f in self.findings],
            "splits": {
                name: {
                    "tiles": s.tiles,
                    "labelled": s.labelled,
                    "statistics": s.statistics,
                    "pixels": {str(i): int(n) for i, n in enumerate(s.counts) if n},
                }
                for name, s in self.splits.items()
            },
            "sizes": dict(self.sizes),
            "crs": dict(self.crs),
            "pixel_sizes": dict(self.pixel_sizes),
        }


def _number(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
