import math

import pytest

from terrashot.reporting.ablation import Outcome, ablation_rows
from terrashot.reporting.ablation_figure import ablation_figure
from terrashot.reporting.html.strip import Axis
from terrashot.reporting.html.sweep_report import sweep_page, sweep_report


def test_each_choice_is_compared_over_pairs_that_are_alike_in_all_else(sweep_material):
    report = sweep_report(sweep_material)
    (loss, first, (ldam,)), (transition, _, (rank_one,)) = report.effects
    assert (loss, first, transition) == ("loss", "ce", "transition")
    # The draws differ by ten points; the pairs do not show it.
    assert ldam.change.mean == pytest.approx(0.02)
    assert ldam.change.deviation == pytest.approx(0, abs=1e-12)
    assert ldam.change.count == 5
    assert ldam.better == 5
    assert rank_one.change.mean == pytest.approx(-0.01)
    assert (rank_one.better, rank_one.change.count) == (0, 5)


def test_the_table_holds_every_option_with_its_dots(sweep_material):
    report = sweep_report(sweep_material)
    assert [line.options for line in report.options] == [
        ("ce", "none"), ("ce", "rank_one"), ("ldam", "none"), ("ldam", "rank_one"),
    ]  # fmt: skip
    assert [len(line.strip.dots) for line in report.options] == [3, 3, 3, 2]
    assert report.options[0].difference is None
    assert report.options[2].strip.mean == pytest.approx(report.axis.at(0.42))
    assert "draw 1" in report.options[0].strip.dots[1][1]


def test_failed_jobs_are_named_and_others_link_to_their_report(sweep_material):
    page = sweep_page(sweep_material)
    assert "No result: loss=ldam transition=rank_one data.support_draw=2" in page
    assert '<a href="../../stage2/ce_none_0/report.html">' in page
    assert "<b>bold" not in page
    assert "nan" not in page.split("<script>")[0].lower()


def test_a_sweep_over_seeds_alone_is_one_row():
    outcomes = [Outcome((), (seed,), {"val/base_miou": 0.5}, math.nan) for seed in "01"]
    (row,) = ablation_rows(outcomes, [()], "val/base_miou")
    assert (row.labels, row.count) == ((), 2)
    figure = ablation_figure([row], outcomes, [], "val/base_miou")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["all jobs"]


def test_an_axis_of_differences_holds_the_zero():
    axis = Axis.around([0.021, 0.034], zero=True)
    assert axis.at(0.0) == 0
    assert 0 < axis.at(0.021) < axis.at(0.034) <= 100
    assert Axis.around([float("nan")]).ticks
