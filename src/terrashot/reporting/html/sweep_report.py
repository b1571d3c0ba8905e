"""The report of a multirun."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from terrashot.reporting.ablation import AblationRow, Outcome, Spread, choice_effects
from terrashot.reporting.html.config_lines import ConfigLine
from terrashot.reporting.html.page import render_page
from terrashot.reporting.html.parts import Fact, Link, Notice, Section
from terrashot.reporting.html.strip import Axis, Strip, strip


@dataclass(frozen=True)
class JobLine:
    """One job: its choices, what became of it, and its own report where there is one."""

    label: str
    state: str
    scores: Mapping[str, float]
    seconds: float
    address: str | None
    marks: Sequence[str] = ()


@dataclass(frozen=True)
class SweepMaterial:
    """A sweep as plain values.

    Args:
        name: of its folder.
        kicker: the line above the title.
        facts: what ran.
        notices: failed jobs, mixed revisions and the like.
        keys: what the options choose.
        main: the score of the differences.
        rows: the table.
        outcomes: of the finished jobs, in the order of the sweep.
        repeats: names of the parts of ``Outcome.repeat``.
        context: positions in ``keys`` that nothing is compared across.
        jobs: all of them.
        links: files beside the report.
    """

    name: str
    kicker: str
    facts: list[Fact]
    notices: list[Notice]
    keys: list[str]
    main: str
    rows: Sequence[AblationRow]
    outcomes: Sequence[Outcome]
    repeats: Sequence[str]
    context: Collection[int]
    jobs: list[JobLine]
    links: list[Link]


@dataclass(frozen=True)
class OptionLine:
    """One row of the ablation table."""

    options: tuple[str, ...]
    count: int
    scores: list[Spread]
    strip: Strip
    difference: Spread | None
    seconds: float


@dataclass(frozen=True)
class EffectLine:
    """What one choice changes against the first choice of its key."""

    choice: str
    change: Spread
    better: int
    strip: Strip


@dataclass(frozen=True)
class SweepReport:
    """The fields of ``sweep.html``."""

    title: str
    kicker: str
    facts: list[Fact]
    notices: list[Notice]
    sections: list[Section]
    keys: list[str]
    main: str
    score_names: list[str]
    options: list[OptionLine]
    axis: Axis
    effects: list[tuple[str, str, list[EffectLine]]]
    effect_axis: Axis
    timed: bool
    jobs: list[JobLine]
    config: list[ConfigLine]
    links: list[Link]


def sweep_page(material: SweepMaterial) -> str:
    """The whole page."""
    return render_page("sweep.html", sweep_report(material))


def sweep_report(material: SweepMaterial) -> SweepReport:
    """Everything that the page shows, ready to be shown."""
    main = material.main
    axis = Axis.around([o.scores.get(main, math.nan) for o in material.outcomes])
    effects, effect_axis = _effects(material)
    names = list(dict.fromkeys(name for row in material.rows for name in row.scores))
    sections = [Section("summary", "Options")]
    if effects:
        sections.append(Section("effects", "Changes"))
    return SweepReport(
        title=material.name,
        kicker=material.kicker,
        facts=material.facts,
        notices=material.notices,
        sections=[*sections, Section("jobs", "Jobs"), Section("about", "What ran")],
        keys=material.keys,
        main=main,
        score_names=names,
        options=[_option(row, names, material, axis) for row in material.rows],
        axis=axis,
        effects=effects,
        effect_axis=effect_axis,
        timed=any(not math.isnan(row.seconds) for row in material.rows),
        jobs=material.jobs,
        config=[],
        links=material.links,
    )


def _option(
    row: AblationRow, names: Sequence[str], material: SweepMaterial, axis: Axis
) -> OptionLine:
    values = [
        (o.scores.get(material.main, math.nan), _repeat(o, material.repeats))
        for o in material.outcomes
        if o.options == row.options
    ]
    spread = row.scores.get(material.main, Spread())
    return OptionLine(
        options=row.labels,
        count=row.count,
        scores=[row.scores.get(name, Spread()) for name in names],
        strip=strip(values, spread, axis),
        difference=row.difference,
        seconds=row.seconds,
    )


def _repeat(outcome: Outcome, names: Sequence[str]) -> str:
    parts = [
        f"{name.rpartition('.')[2]} {value}"
        for name, value in zip(names, outcome.repeat, strict=True)
        if value
    ]
    return ", ".join(parts) or "one job"


def _effects(material: SweepMaterial) -> tuple[list[tuple[str, str, list[EffectLine]]], Axis]:
    found = choice_effects(material.outcomes, material.keys, material.main, material.context)
    found = [effect for effect in found if effect.pairs]
    axis = Axis.around([value for effect in found for value in effect.pairs], zero=True)
    groups: dict[tuple[str, str], list[EffectLine]] = {}
    for effect in found:
        values = [(value, f"pair {number}") for number, value in enumerate(effect.pairs, 1)]
        line = EffectLine(
            effect.choice,
            effect.change,
            effect.better,
            strip(values, effect.change, axis, zero=True),
        )
        groups.setdefault((effect.key, effect.reference), []).append(line)
    return [(key, reference, lines) for (key, reference), lines in groups.items()], axis
