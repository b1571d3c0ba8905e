"""The report of one stage-2 run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terrashot.reporting.curves_figure import Curve
from terrashot.reporting.html.calibration import Reliability, run_reliability
from terrashot.reporting.html.config_lines import ConfigLine, config_lines
from terrashot.reporting.html.header import run_facts, run_notices, when_and_what
from terrashot.reporting.html.heat_map import (
    HeatMap,
    confusion_map,
    similarity_map,
    transition_map,
)
from terrashot.reporting.html.line_chart import LineChart, line_chart
from terrashot.reporting.html.page import render_page
from terrashot.reporting.html.parts import Fact, Link, Notice, Section
from terrashot.reporting.html.rules import RuleLine, rule_lines
from terrashot.reporting.html.scores import (
    ClassLine,
    ScoreCard,
    class_lines,
    run_scores,
    score_cards,
)
from terrashot.reporting.html.tile_set import TileLine, TileSet
from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class RunMaterial:
    """What a run folder holds, as plain values.

    Args:
        results: of ``results.json``.
        config: of ``config.yaml``, resolved.
        info: of ``run.json``.
        tile_lines: the scores of each query tile.
        tiles: pictures of some of them.
        curves: running scores of this run by name, over the queries.
        stage1_curves: losses and scores of the stage-1 run by name; empty where it is not here.
        links: files beside the report.
    """

    results: Mapping[str, Any]
    config: Mapping[str, Any]
    info: Mapping[str, Any]
    tile_lines: Sequence[TileLine]
    tiles: TileSet
    curves: Mapping[str, Curve]
    stage1_curves: Mapping[str, Curve]
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class RunReport:
    """The fields of ``run.html``."""

    title: str
    kicker: str
    facts: list[Fact]
    notices: list[Notice]
    sections: list[Section]
    cards: list[ScoreCard]
    classes: list[ClassLine]
    means: list[tuple[str, float | None, float | None]]
    heat_maps: list[HeatMap]
    tiles: TileSet
    tile_lines: list[TileLine]
    charts: list[LineChart]
    rules: list[RuleLine]
    reliability: Reliability | None
    config: list[ConfigLine]
    links: list[Link]


def run_page(report: RunReport) -> str:
    """The whole page."""
    return render_page("run.html", report)


def run_report(material: RunMaterial) -> RunReport:
    """Everything that the page shows, ready to be shown.

    Raises:
        KeyError: the results are of another task than stage 2.
    """
    results, config = material.results, material.config
    taxonomy = Taxonomy.from_dict({"name": config["data"]["name"], **config["data"]["taxonomy"]})
    weights = score_weights(config)
    scores = run_scores(results["confusion"], taxonomy, weights)
    before = results.get("base_model") or {}
    maps = [confusion_map(results["confusion"], taxonomy), *_matrices(results, taxonomy)]
    charts = _charts(material)
    rules = rule_lines(results)
    reliability = run_reliability(results)
    data = results.get("data") or {}
    # Said wherever these scores stand, since they are another kind of row.
    marks = ["external masks"] if results.get("external_masks") else []
    marks += ["seen queries"] if results.get("support_in_queries") else []
    other = f" ({', '.join(marks)})" if marks else ""
    return RunReport(
        title=f"{results.get('method') or 'stage 2'} on {data.get('name', '?')}{other}",
        kicker=" · ".join(
            [
                "stage 2",
                f"{data.get('split', '?')} queries, {results.get('queries', '?')} tiles",
                *when_and_what(material.info),
            ]
        ),
        facts=run_facts(results, config, material.info),
        notices=run_notices(results, config, material.info),
        sections=_sections(maps, charts, rules, reliability),
        cards=score_cards(scores, results, weights),
        classes=class_lines(results["confusion"], scores, results, taxonomy),
        means=[
            (f"base mean{other}", scores.base_miou, before.get("test/base_miou")),
            (f"novel mean{other}", scores.novel_miou, before.get("test/novel_miou")),
        ],
        heat_maps=maps,
        tiles=material.tiles,
        tile_lines=list(material.tile_lines),
        charts=charts,
        rules=rules,
        reliability=reliability,
        config=config_lines(dict(config)),
        links=list(material.links),
    )


def score_weights(config: Mapping[str, Any]) -> dict[str, float]:
    """Weights of the weighted mIoU."""
    adaptation = config.get("adaptation") or {}
    return {
        "base_weight": float(adaptation.get("base_weight", 0.4)),
        "novel_weight": float(adaptation.get("novel_weight", 0.6)),
    }


def _matrices(results: Mapping[str, Any], taxonomy: Taxonomy) -> list[HeatMap]:
    found = []
    for key, make in (("similarity", similarity_map), ("transition", transition_map)):
        value = results.get(key)
        if isinstance(value, Mapping) and value.get("matrix"):
            found.append(make(value["matrix"], taxonomy, str(value.get("name", key))))
    return found


def _charts(material: RunMaterial) -> list[LineChart]:
    losses = {n: c for n, c in material.stage1_curves.items() if "loss" in n}
    scores = {n: c for n, c in material.stage1_curves.items() if "miou" in n}
    charts = [
        line_chart("Stage 2: score so far", "query tiles", material.curves, shares=True),
        line_chart("Stage 1: validation mIoU", "optimizer step", scores, shares=True),
        line_chart("Stage 1: loss", "optimizer step", losses),
    ]
    return [chart for chart in charts if chart is not None]


def _sections(
    maps: Sequence[HeatMap],
    charts: Sequence[LineChart],
    rules: Sequence[RuleLine],
    reliability: Reliability | None,
) -> list[Section]:
    return [
        Section("summary", "Summary"),
        Section("classes", "Classes"),
        *([Section("rules", "Post-processing")] if rules else []),
        Section("tiles", "Tiles"),
        Section("confusion", "Confusion"),
        *[Section(m.anchor, m.anchor.capitalize()) for m in maps[1:]],
        *([Section("calibration", "Calibration")] if reliability else []),
        *([Section("curves", "Curves")] if charts else []),
        Section("config", "Configuration"),
    ]
