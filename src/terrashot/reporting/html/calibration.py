"""The reliability diagram of a run: how often a map is right that is so sure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from terrashot.reporting.html.line_chart import LineChart, line_chart

_NAMES = {"plain": "as it comes", "calibrated": "calibrated"}


@dataclass(frozen=True)
class Reliability:
    """The diagram, and what it says in words."""

    chart: LineChart
    lead: str


def run_reliability(results: Mapping[str, Any]) -> Reliability | None:
    """The diagram of ``calibration`` in ``results.json``; None of an earlier version's run."""
    found = results.get("calibration") or {}
    curves = {
        name: [(100 * sure, right) for _, sure, right in found[key]["bins"]]
        for key, name in _NAMES.items()
        if found.get(key) and found[key]["bins"]
    }
    places = [place for curve in curves.values() for place, _ in curve]
    if not places:
        return None
    ends = [min(places), max(places)]
    even = {"as sure as right": [(place, place / 100) for place in ends]}
    title = "Pixels that are right, by confidence"
    chart = line_chart(title, "confidence, %", curves | even, shares=True)
    assert chart is not None
    return Reliability(chart, _lead(found))


def _lead(found: Mapping[str, Any]) -> str:
    plain = f"{100 * found['plain']['ece']:.1f} %"
    text = (
        "Confidence is the probability of the mapped class. Below the straight line a map is surer "
        "than it is right. The expected calibration error, the mean distance from that line over "
        f"all labelled pixels of the query tiles before any rule, is {plain}"
    )
    if found.get("calibrated"):
        after = f"{100 * found['calibrated']['ece']:.1f} %"
        text += (
            f" as probabilities come and {after} calibrated with temperature "
            f"{found['temperature']:.3g}, fitted to {found['how']}: the confidence that maps have"
        )
    elif found.get("how"):
        text += f". Not calibrated: {found['how']}"
    return f"{text}."
