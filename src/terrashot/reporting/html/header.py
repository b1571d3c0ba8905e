"""The head of a report: what ran, and what a reader must know before the numbers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from terrashot.reporting.html.parts import Fact, Notice


def run_facts(
    results: Mapping[str, Any], config: Mapping[str, Any], info: Mapping[str, Any]
) -> list[Fact]:
    """Data, dates, revision and command of a stage-2 run."""
    data = config.get("data") or {}
    draw = data.get("support_draw")
    adaptation = config.get("adaptation") or {}
    stride = adaptation.get("feature_stride")
    facts = [
        Fact("method", str(results.get("method") or "unnamed")),
        Fact("data", f"{data.get('name', '?')}, split {data.get('split', '?')}"),
        Fact("support", "as listed" if draw is None else f"draw {draw} from the pool"),
        Fact("protocol", str(results.get("protocol", "per query"))),
        Fact("adapted at", "native stride" if stride is None else f"feature stride {stride}"),
        Fact("seed", str(config.get("seed", "?"))),
        *common_facts(info),
    ]
    if results.get("checkpoint"):
        facts.append(Fact("stage-1 network", str(results["checkpoint"]), code=True))
    return facts


def when_and_what(info: Mapping[str, Any]) -> list[str]:
    """Date and short revision, for the line above the title."""
    found = []
    if info.get("started"):
        found.append(_time(info["started"]))
    if info.get("git"):
        revision, _, dirty = str(info["git"]).partition("-")
        found.append(f"git {revision[:8]}{', changed' if dirty else ''}")
    return found


def common_facts(info: Mapping[str, Any]) -> list[Fact]:
    """What ``run.json`` says of any run."""
    facts = []
    if info.get("started"):
        facts.append(Fact("started", _time(info["started"]) + _took(info)))
    if info.get("git"):
        facts.append(Fact("git revision", str(info["git"]), code=True))
    versions = info.get("versions") or {}
    if versions:
        facts.append(Fact("versions", ", ".join(f"{k} {v}" for k, v in versions.items())))
    if info.get("command"):
        facts.append(Fact("command", str(info["command"]), code=True))
    return facts


def run_notices(
    results: Mapping[str, Any], config: Mapping[str, Any], info: Mapping[str, Any]
) -> list[Notice]:
    """What makes the numbers of this run another kind than those of a plain one."""
    notices = []
    if results.get("external_masks"):
        notices.append(
            Notice(
                "warning",
                "With external masks",
                "Masks of another model were pasted into these maps (see Post-processing): the "
                "scores are another kind of row than those of a run without.",
            )
        )
    seen = results.get("support_in_queries")
    if seen:
        notices.append(
            Notice(
                "warning",
                "With queries seen in the support",
                f"{len(seen)} query tiles are support tiles too ({', '.join(seen[:5])}): what a "
                "method has learned from is no test of it, and these scores are too good.",
            )
        )
    diverged = int(results.get("diverged_queries") or 0)
    if diverged:
        notices.append(
            Notice(
                "warning",
                f"The adaptation diverged on {diverged} of {results.get('queries')} query tiles",
                "Their maps mean nothing and pull the scores down: the step size is too large "
                "for these features. method=classtrans is scaled to them.",
            )
        )
    limit = (config.get("trainer") or {}).get("limit_test_batches", 1.0)
    if limit != 1.0:
        notices.append(
            Notice("warning", "Not all query tiles", f"trainer.limit_test_batches is {limit:g}.")
        )
    if results.get("protocol") == "joint":
        notices.append(
            Notice(
                "note",
                "Joint protocol",
                "The method learned from all query tiles at once; compare with joint runs only.",
            )
        )
    if str(info.get("git") or "").endswith("-dirty"):
        notices.append(
            Notice("note", "Changed code", "The working tree differed from its git revision.")
        )
    if (config.get("data") or {}).get("demo_seed") is not None:
        notices.append(
            Notice(
                "note",
                "Synthetic scenes",
                "The demo set shows that everything works; its "
                "scores say nothing about real land cover.",
            )
        )
    return notices


def _time(text: object) -> str:
    try:
        return datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M %z").strip()
    except ValueError:
        return str(text)


def _took(info: Mapping[str, Any]) -> str:
    try:
        began = datetime.fromisoformat(str(info["started"]))
        ended = datetime.fromisoformat(str(info["ended"]))
    except (KeyError, ValueError):
        return ""
    if info.get("resumed"):
        return ", resumed"  # the time between would count too
    seconds = (ended - began).total_seconds()
    return f", {seconds / 60:.0f} min" if seconds >= 120 else f", {seconds:.0f} s"
