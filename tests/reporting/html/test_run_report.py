import base64
import re
import zlib

import numpy as np
import pytest
import torch

from terrashot.evaluation.scores import gfss_scores
from terrashot.reporting.html.config_lines import config_lines
from terrashot.reporting.html.line_chart import line_chart, nice_ticks
from terrashot.reporting.html.run_report import run_page, run_report
from terrashot.reporting.html.tile_set import TileSet, chosen_tiles, tile_line


def test_a_class_name_with_markup_stays_text(run_material):
    page = run_page(run_report(run_material()))
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "alert(&#39;x&#39;)" in page
    assert page.count("<script") == page.count("</script>") == 3


def test_the_page_names_no_address_outside_itself(run_material):
    page = run_page(run_report(run_material()))
    assert "<link" not in page.replace('<link rel="icon" href="data:', "")
    found = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]+)""", page)
    outside = [a for a in found if not a.startswith(("#", "data:")) and a != "results.json"]
    assert [a for a in outside if a.startswith(("http", "//", "file"))] == []
    assert "default-src 'none'" in page


def test_summary_numbers_are_those_of_the_confusion_matrix(run_material, taxonomy):
    material = run_material()
    scores = gfss_scores(torch.tensor(material.results["confusion"]), taxonomy)
    cards = {card.name: card for card in run_report(material).cards}
    assert cards["weighted mIoU"].value == f"{100 * scores.weighted_miou:.1f}"
    assert cards["novel mIoU"].value == f"{100 * scores.novel_miou:.1f}"
    before = material.results["base_model"]["test/base_miou"]
    assert cards["base mIoU"].change == pytest.approx(scores.base_miou - before)
    assert cards["time"].value == "1.50"
    assert "0.034" in cards["time"].meaning


def test_an_absent_class_is_no_zero(run_material):
    confusion = [[9, 0, 0, 0, 0], [0, 8, 1, 0, 0], [0, 2, 7, 0, 0], [0, 0, 1, 5, 0], [0] * 5]
    report = run_report(run_material(results={"confusion": confusion}))
    pool = report.classes[-1]
    assert pool.iou is None
    assert pool.change is None
    assert report.heat_maps[0].rows[-1] is None
    page = run_page(run_report(run_material(results={"confusion": confusion})))
    assert "no labelled pixel" in page
    assert "nan" not in re.sub(r"<script.*?</script>", "", page, flags=re.S).lower()


def test_what_makes_a_run_another_kind_of_row_is_said_first(run_material):
    material = run_material(
        results={
            "diverged_queries": 2,
            "protocol": "joint",
            "external_masks": True,
            "support_in_queries": ["tile_1"],
            "postprocess": [
                {"rule": "none", "metrics": {"test/weighted_miou": 0.5}},
                {"rule": "paste", "metrics": {"test/weighted_miou": 0.6}, "external": True},
            ],
        },
        config={"trainer": {"limit_test_batches": 0.5}},
        info={"git": "0123-dirty"},
    )
    report = run_report(material)
    titles = " ".join(notice.title for notice in report.notices)
    for word in [
        "external masks",
        "queries seen",
        "diverged on 2 of 10",
        "Not all",
        "Joint",
        "Changed code",
    ]:
        assert word in titles
    assert report.title.endswith("(external masks, seen queries)")
    assert [rule.change for rule in report.rules] == [None, pytest.approx(0.1)]
    assert "Post-processing" in run_page(run_report(material))
    assert run_report(run_material()).notices == []


def test_results_of_other_versions_with_fewer_keys_still_make_a_page(run_material):
    material = run_material(
        results={"base_model": None, "method": None, "seconds_per_query": None, "postprocess": "x"},
        tiles=TileSet(None, "This run kept no maps."),
        tile_lines=[],
        curves={},
        stage1_curves={},
    )
    page = run_page(run_report(material))
    assert "This run kept no maps." in page
    assert "Learning curves" not in page


def test_worst_and_best_tiles_are_chosen_by_their_score_and_stand_once(taxonomy, run_material):
    lines = run_material().tile_lines
    order = [t.name for t in sorted(lines, key=lambda t: t.miou)]
    chosen = chosen_tiles(lines)
    assert [t.name for group, t in chosen if group == "worst"] == order[:4]
    assert [t.name for group, t in chosen if group == "best"] == order[:-5:-1]
    assert len({t.name for _, t in chosen_tiles(lines[:5])}) == 5
    assert [g for g, _ in chosen_tiles(lines[:1])] == ["worst"]


def test_a_tile_without_a_label_is_not_ranked(taxonomy):
    nothing = torch.zeros(5, 5).long()
    empty = tile_line("empty", nothing, nothing, 0.1, False, taxonomy)
    assert empty.miou is None
    assert chosen_tiles([empty]) == []


def test_packed_maps_are_exact(run_material):
    tile = run_material().tiles.payload["tiles"][0]
    ids = np.frombuffer(zlib.decompress(base64.b64decode(tile["truth"])), np.uint8)
    assert ids.size == tile["width"] * tile["height"] == 48 * 48
    assert set(ids.tolist()) <= {0, 1, 2, 3, 255}
    assert tile["image"].startswith("data:image/jpeg;base64,")


def test_matrices_of_the_method_are_drawn(run_material):
    similarity = {"name": "Transport", "matrix": [[0.5, 0.0], [0.5, 1.0], [0.0, 0.0]]}
    transition = {"name": "SharedTransition", "matrix": [[0.1, -0.2, 0.0]] * 5}
    report = run_report(run_material(results={"similarity": similarity, "transition": transition}))
    _, alike, lent = report.heat_maps
    assert [cell.text for cell in alike.rows[0]] == ["50", "0.0"]
    assert [cell.marked for cell in alike.rows[1]] == [True, True]
    assert lent.rows[0][1].heat == -1
    assert [cell.text for cell in lent.rows[0]] == ["0.10", "-0.20", "0"]
    faint = {"name": "RankOne", "matrix": [[1e-4, -2.5e-4, 0.0]] * 5}
    *_, lent = run_report(run_material(results={"transition": faint})).heat_maps
    assert [cell.text for cell in lent.rows[0]] == ["1.00", "-2.50", "0"]
    assert "times 1e-4" in lent.explanation


def test_settings_are_named_as_the_command_line_takes_them():
    lines = config_lines({"data": {"mean": [0.1, 0.2], "novel": [{"name": "x"}]}, "seed": None})
    assert [(line.key, line.value) for line in lines] == [
        ("data.mean", "[0.1, 0.2]"),
        ("data.novel.0.name", "x"),
        ("seed", "null"),
    ]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0.61), (0, 0), (-3.2, 7.9), (12, 12), (0, 1e-4), (1, 5000)]
)
def test_ticks_are_round_and_cover_the_values(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-12
    assert ticks[-1] >= high - 1e-12
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))


def test_long_curves_are_thinned_and_keep_their_end():
    curve = [(float(i), i / 5000) for i in range(5000)]
    chart = line_chart("x", "step", {"a": curve, "empty": []}, shares=True)
    (series,) = chart.series
    assert len(series.values) < 500
    assert series.values[-1] == (4999.0, pytest.approx(99.98))
    assert line_chart("x", "step", {}) is None


def test_the_reliability_diagram_is_drawn_with_both_errors(run_material):
    plain = {"ece": 0.123, "bins": [[10, 0.5, 0.3], [90, 0.9, 0.8]]}
    calibrated = {"ece": 0.021, "bins": [[40, 0.4, 0.35], [60, 0.8, 0.82]]}
    known = {"temperature": 1.731, "how": "8 support tiles, each left out once"}
    results = {"calibration": {**known, "plain": plain, "calibrated": calibrated}}
    report = run_report(run_material(results=results))
    assert report.reliability is not None
    curves = {s.name: s.values for s in report.reliability.chart.series}
    assert curves["as it comes"] == [(50.0, 30.0), (90.0, 80.0)]
    assert curves["as sure as right"] == [(40.0, 40.0), (90.0, 90.0)]
    page = run_page(report)
    assert "12.3 % as probabilities come and 2.1 % calibrated with temperature 1.73" in page
    assert 'id="calibration"' in page
    without = run_report(run_material(results={"calibration": {"plain": plain, "how": "too few"}}))
    assert without.reliability is not None
    assert without.reliability.lead.endswith("12.3 %. Not calibrated: too few.")
    assert run_report(run_material()).reliability is None  # of an earlier version
