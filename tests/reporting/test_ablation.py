"""Means over repeats, paired differences, and a table that fits."""

import csv
import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from terrashot.reporting.ablation import Outcome, ablation_rows, mean_rows
from terrashot.reporting.ablation_table import ablation_csv, ablation_markdown, ablation_table

# The draws differ by ten points, the options by one: only pairs show it.
DRAWS = {"0": 0.30, "1": 0.50, "2": 0.40}
GAIN = {"none": 0.0, "rank_one": 0.01}


def outcome(option, draw, value=None):
    weighted = DRAWS[draw] + GAIN[option] if value is None else value
    scores = {"base": 0.5, "novel": weighted, "weighted": weighted}
    return Outcome((option,), (draw, "0"), scores, seconds=0.25)


@pytest.fixture
def rows():
    outcomes = [outcome(option, draw) for draw in DRAWS for option in GAIN]
    return ablation_rows(outcomes, [("none",), ("rank_one",)], "weighted")


def test_differences_are_of_pairs(rows):
    reference, other = rows
    assert reference.difference is None
    assert reference.count == other.count == 3
    assert reference.scores["weighted"].mean == pytest.approx(0.4)
    assert reference.scores["weighted"].deviation == pytest.approx(0.1)
    assert other.difference.mean == pytest.approx(0.01)
    assert other.difference.deviation == pytest.approx(0.0, abs=1e-12)
    assert other.difference.count == 3
    assert other.seconds == 0.25


def test_a_missing_job_leaves_its_pair_out_and_one_job_has_no_spread():
    outcomes = [outcome("none", "0"), outcome("none", "1"), outcome("rank_one", "1")]
    reference, other = ablation_rows(outcomes, [("none",), ("rank_one",)], "weighted")
    assert reference.count == 2
    assert other.difference.mean == pytest.approx(0.01)
    assert other.difference.count == 1
    assert math.isnan(other.scores["weighted"].deviation)


def test_an_option_without_a_result_stands_in_the_table_with_none():
    rows = ablation_rows([outcome("none", "0")], [("none",), ("rank_one",)], "weighted")
    assert [row.count for row in rows] == [1, 0]
    assert not rows[1].difference.count
    assert "| rank_one | 0 | - | - | - | - | - |" in ablation_markdown(
        rows, ["transition"], "weighted"
    )


def test_every_split_has_a_reference_of_its_own():
    outcomes = [
        Outcome((split, option), ("0", "0"), {"weighted": value})
        for split, option, value in [
            ("val", "none", 0.6),
            ("val", "rank_one", 0.5),
            ("test", "none", 0.3),
            ("test", "rank_one", 0.4),
        ]
    ]
    rows = ablation_rows(outcomes, [o.options for o in outcomes], "weighted", context=[0])
    assert [row.difference and round(row.difference.mean, 6) for row in rows] == [
        None, -0.1, None, 0.1,
    ]  # fmt: skip


def test_an_absent_score_is_in_no_mean():
    outcomes = [outcome("none", "0", math.nan), outcome("none", "1", 0.5)]
    (row,) = ablation_rows(outcomes, [("none",)], "weighted")
    assert row.scores["weighted"].mean == 0.5
    assert row.scores["weighted"].count == 1


def test_the_table_fits_100_columns_with_a_long_option(rows):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(ablation_table(rows, ["loss and its largest margin"], "weighted", "a title"))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert "40.0 ± 10.0" in text
    assert "+1.0 ± 0.0" in text
    assert "reference" in text


def test_the_csv_holds_plain_numbers(rows):
    first, second = csv.DictReader(io.StringIO(ablation_csv(rows, ["transition"])))
    assert first["transition"] == "none"
    assert float(first["weighted_mean"]) == pytest.approx(0.4)
    assert first["difference_mean"] == ""
    assert float(second["difference_mean"]) == pytest.approx(0.01)
    assert second["difference_n"] == "3"


def test_rows_with_external_masks_are_labelled_in_every_table():
    with_masks = replace(outcome("rank_one", "0"), external_masks=True)
    rows = ablation_rows([outcome("none", "0"), with_masks], [("none",), ("rank_one",)], "weighted")
    label = "rank_one (external masks)"
    assert [row.labels for row in rows] == [("none",), (label,)]
    assert label in ablation_csv(rows, ["transition"])
    assert label in ablation_markdown(rows, ["transition"], "weighted")
    console = Console(width=120, file=io.StringIO())
    console.print(ablation_table(rows, ["transition"], "weighted", "title"))
    assert label in console.file.getvalue()


def test_rows_that_were_scored_on_seen_queries_are_labelled_in_every_table():
    seen = replace(outcome("rank_one", "0"), seen_queries=True)
    rows = ablation_rows([outcome("none", "0"), seen], [("none",), ("rank_one",)], "weighted")
    label = "rank_one (seen queries)"
    assert [row.labels for row in rows] == [("none",), (label,)]
    assert label in ablation_csv(rows, ["transition"])
    assert label in ablation_markdown(rows, ["transition"], "weighted")
    both = replace(seen, external_masks=True)
    (row,) = ablation_rows([both], [("rank_one",)], "weighted")
    assert row.labels == ("rank_one (external masks, seen queries)",)


def test_means_over_folds_come_last_and_count_each_fold_once():
    def job(fusion, fold, seed, value):
        return Outcome((fusion, fold), ("", seed), {"mIoU": value}, seconds=1.0)

    jobs = [job("avg", "0", "0", 0.2), job("avg", "0", "1", 0.4), job("avg", "1", "0", 0.6)]
    jobs += [job("or", "0", "0", 0.3), job("or", "1", "0", 0.9)]
    options = list(dict.fromkeys(j.options for j in jobs))
    rows = ablation_rows(jobs, options, "mIoU", [1])
    avg, joined = mean_rows(rows, [1])
    assert (avg.options, joined.options) == (("avg", "mean"), ("or", "mean"))
    assert avg.scores["mIoU"].mean == pytest.approx(0.45)  # of 0.3 and 0.6, not of three runs
    assert (avg.count, joined.count) == (3, 2)
    assert joined.scores["mIoU"].mean == pytest.approx(0.6)
    assert avg.difference is None
    assert joined.difference.mean == pytest.approx((0.1 + 0.3) / 2)
    assert "| avg | mean |" in ablation_markdown([*rows, avg], ["fusion", "data.fold"], "mIoU")
    assert mean_rows(rows, []) == []
    unfinished = ablation_rows(jobs[:3], options, "mIoU", [1])
    assert [row.options for row in mean_rows(unfinished, [1])] == [("avg", "mean")]
    assert mean_rows(rows[:1], [1]) == []
