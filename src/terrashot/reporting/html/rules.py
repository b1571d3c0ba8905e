"""What each post-processing rule did to the score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SCORES = {"base_miou": "base", "novel_miou": "novel", "weighted_miou": "weighted"}


@dataclass(frozen=True)
class RuleLine:
    """One rule in the order of application: scores from 0 to 1 after it, and what it changed."""

    name: str
    scores: dict[str, float | None]
    change: float | None
    external: bool


def rule_lines(results: Mapping[str, Any]) -> list[RuleLine]:
    """The rules of ``results["postprocess"]``; empty where there are none.

    Each is ``{"rule": name, "metrics": {"test/base_miou": ..., ...}, "external": bool}``; the
    first one may be the map before all rules.
    """
    entries = results.get("postprocess")
    if not isinstance(entries, list):
        return []
    lines: list[RuleLine] = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        metrics = entry.get("metrics") or entry
        scores = {label: _find(metrics, key) for key, label in _SCORES.items()}
        now, before = scores["weighted"], lines[-1].scores["weighted"] if lines else None
        change = None if now is None or before is None else now - before
        name = str(entry.get("rule") or entry.get("name") or "rule")
        lines.append(RuleLine(name, scores, change, bool(entry.get("external"))))
    return lines


def _find(metrics: Mapping[str, Any], key: str) -> float | None:
    value = metrics.get(f"test/{key}", metrics.get(key))
    return float(value) if isinstance(value, int | float) else None
