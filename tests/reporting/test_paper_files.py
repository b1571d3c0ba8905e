"""What goes into papers: LaTeX, Markdown, figures as PNG and PDF."""

import csv

import pytest
from PIL import Image

from terrashot.reporting.ablation import Outcome, ablation_rows
from terrashot.reporting.ablation_figure import ablation_figure
from terrashot.reporting.ablation_table import ablation_latex
from terrashot.reporting.class_files import write_class_tables
from terrashot.reporting.figures import save_for_paper
from terrashot.reporting.html import formats
from terrashot.reporting.html.scores import ClassLine
from terrashot.reporting.latex_table import latex_table, markdown_table


@pytest.fixture
def outcomes():
    return [
        Outcome((choice,), (draw, "0"), {"weighted": score})
        for choice, draw, score in [
            ("none", "0", 0.3),
            ("none", "1", 0.4),
            ("rank_one", "0", 0.25),
            ("rank_one", "1", 0.36),
        ]
    ]


def test_signs_that_latex_would_take_for_commands_are_escaped():
    table = latex_table(["a_b", "Δ x"], [["5 % of {x} & y\\z", "+1.0 ± 0.2"]], text_columns=1)
    assert r"a\_b & $\Delta$ x \\" in table
    assert r"5 \% of \{x\} \& y\textbackslash{}z & +1.0 $\pm$ 0.2 \\" in table
    assert r"\begin{tabular}{lr}" in table
    assert table.count(r"\midrule") == 1


def test_the_ablation_stands_in_latex_with_the_reference_first(outcomes):
    rows = ablation_rows(outcomes, [("none",), ("rank_one",)], "weighted")
    lines = ablation_latex(rows, ["transition"], "weighted").splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert body == [
        r"none & 2 & 35.0 $\pm$ 7.1 & reference & - \\",
        r"rank\_one & 2 & 30.5 $\pm$ 7.8 & $-$4.5 $\pm$ 0.7 & - \\",
    ]


def test_a_pipe_in_markdown_does_not_open_a_column():
    assert markdown_table(["a", "b"], [["x|y", "1"]], text_columns=1).splitlines() == [
        "| a | b |",
        "| --- | ---: |",
        "| x\\|y | 1 |",
    ]


def test_the_class_table_is_written_three_times(tmp_path):
    classes = [
        ClassLine(0, "background", "#000000", "background", 0.5, 0.4, 10, 12),
        ClassLine(1, "sea, lake & pond", "#0045ff", "base", 0.8754, 0.9, 10, 12),
        ClassLine(2, "pool", "#00e6d2", "novel", None, None, 0, 0),
    ]
    write_class_tables(tmp_path, classes, [("base mean", 0.8754, 0.9)])
    with (tmp_path / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["class"] == "sea, lake & pond"
    assert float(rows[1]["iou"]) == 0.8754
    assert rows[2]["iou"] == ""
    tex = (tmp_path / "classes.tex").read_text()
    assert r"sea, lake \& pond & base & 87.5 & 90.0 & $-$2.5 \\" in tex
    assert tex.count(r"\midrule") == 1 + 2 + 1
    absent = " | ".join(["| pool", "novel", *[formats.DASH] * 3])
    assert absent in (tmp_path / "classes.md").read_text()


def test_a_figure_for_papers_is_a_sharp_png_and_a_pdf_and_says_nothing(tmp_path, outcomes, caplog):
    caplog.set_level("INFO")  # as Hydra's launchers set it
    rows = ablation_rows(outcomes, [("none",), ("rank_one",), ("full",)], "weighted")
    figure = ablation_figure(rows, outcomes, ["transition"], "weighted")
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["none", "rank_one", "full"]
    assert [text.get_text() for text in axis.texts] == ["no result"]
    save_for_paper(figure, tmp_path / "ablation.png")
    assert Image.open(tmp_path / "ablation.png").info["dpi"][0] == pytest.approx(220, abs=1)
    assert (tmp_path / "ablation.pdf").read_bytes().startswith(b"%PDF")
    assert not caplog.records
