"""An assessment as tables and files; the figures are those of Olofsson and others 2014."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tests.assessment.test_stratified import HECTARE, OLOFSSON, PIXELS, by_class

from terrashot.assessment.clusters import counted_accuracy
from terrashot.assessment.stratified import stratified_accuracy
from terrashot.assessment.summary import MapAssessment
from terrashot.reporting.accuracy_files import accuracy_csv, accuracy_latex, matrix_csv
from terrashot.reporting.accuracy_table import accuracy_table, matrix_table, sample_table
from terrashot.reporting.html.accuracy_report import accuracy_page
from terrashot.reporting.html.parts import Fact, Link

EVIL = "</script><script>alert(1)</script> & 50 %"
NAMES = ("deforestation", "forest gain", "stable forest", EVIL)
SPACE = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture
def assessment():
    return MapAssessment(
        names=NAMES,
        colors=("#e31a1c", "#33a02c", None, "#ffd500"),
        accuracy=stratified_accuracy(by_class(OLOFSSON), PIXELS),
        counts=OLOFSSON,
        total=640,
        looked_at="points",
        mapped=PIXELS * HECTARE,
        unit="ha",
        confidence=0.95,
        assumption="Points are drawn at random.",
        notes=("2 of 642 point(s) off the map: left out",),
    )


def shown(table):
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_the_table_has_areas_and_accuracies_with_their_margins(assessment):
    text = shown(accuracy_table(replace(assessment, names=(*NAMES[:3], "stable other"))))
    assert re.search(rf"deforestation +75 +18{SPACE}000 +21{SPACE}158 ± 6{SPACE}158 ", text)
    assert re.search(r"88\.0 ± 7\.4 +74\.9 ± 21\.3", text)
    assert re.search(rf"overall +640 +900{SPACE}000 +94\.7 ± 1\.8", text)
    assert "95 % intervals" in text


def test_the_matrix_is_in_percent_of_the_area(assessment):
    text = shown(matrix_table(assessment))
    assert re.search(r"1 +■ deforestation +1\.76 +0\.13 +0\.11 +2\.00", text)
    assert re.search(r"total +2\.35 +1\.30 +31\.75 +64\.60 +100\.00", text)


def test_the_matrix_of_twelve_classes_fits_a_terminal(assessment):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (12, 12)) + 90 * np.eye(12, dtype=int)
    many = replace(
        assessment,
        names=tuple(f"class with a long name {k}" for k in range(12)),
        colors=("#e31a1c",) * 12,
        accuracy=counted_accuracy(counts * 1.0),
        counts=counts,
        mapped=counts.sum(axis=1) * 1.0,
    )
    text = shown(matrix_table(many))
    share = 100 * counts[11, 11] / counts.sum()
    assert re.search(rf"^ *12 .* {share:.1f} ", text, re.MULTILINE)
    assert "100.0" in text
    assert text.count("…") <= 12  # names alone
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_is_said_where_nothing_is_known(assessment):
    unknown = stratified_accuracy(by_class([[1, 0], [2, 3]]), np.array([1, 1]))
    text = shown(
        accuracy_table(
            replace(
                assessment,
                names=("a", "b"),
                colors=(None, None),
                accuracy=unknown,
                counts=np.array([[1, 0], [2, 3]]),
                mapped=np.ones(2),
            )
        )
    )
    assert "100.0 ± \N{EN DASH}" in text
    assert "nan" not in text


def test_what_was_counted_has_no_margins(assessment):
    counted = replace(assessment, accuracy=counted_accuracy(OLOFSSON * 1.0), looked_at="pixels")
    for text in (shown(accuracy_table(counted)), accuracy_latex(counted)):
        assert "±" not in text
        assert "pm" not in text
        assert "interval" not in text


def test_the_csv_holds_all_digits(assessment):
    rows = list(csv.DictReader(io.StringIO(accuracy_csv(assessment))))
    assert [row["class"] for row in rows] == [*NAMES, "(all)"]
    first = {key: float(value) for key, value in rows[0].items() if value and key not in TEXTS}
    assert first["area"] == pytest.approx(21157.76, abs=0.01)
    half = (first["area_high"] - first["area_low"]) / 2
    assert half == pytest.approx(1.95996 * first["area_standard_error"], rel=1e-5)
    assert rows[0]["overall"] == ""
    assert float(rows[-1]["overall"]) == pytest.approx(0.946512, abs=1e-6)
    cells = list(csv.DictReader(io.StringIO(matrix_csv(assessment))))
    assert len(cells) == 16
    assert (cells[2]["reference_class"], cells[2]["points"]) == ("stable forest", "5")


TEXTS = {"class", "unit"}


def test_the_latex_is_escaped_and_balanced(assessment):
    text = accuracy_latex(assessment)
    assert r"21\,158 $\pm$ 6\,158" in text
    assert r"\& 50 \%" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert text.startswith("% Half-widths of 95 % intervals.\n% Points are drawn at random.\n")


def test_the_page_says_what_was_assumed_and_escapes_names(assessment):
    page = accuracy_page(assessment, "city.tif", [Fact("map", "city.tif")], [Link("a", "a.csv")])
    assert "<script>alert" not in page
    assert "Points are drawn at random." in page
    assert "off the map: left out" in page
    assert f"21{SPACE}158 ± 6{SPACE}158" in page
    assert '94.7<span class="unit">± 1.8 %</span>' in page
    assert "deforestation on the map, stable forest in the reference: 0.133 %" in page
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith(("#", "data:", "a.csv")), address


def test_a_sample_is_a_line_a_stratum():
    text = shown(sample_table(["tree", "water"], np.array([0.9, 0.1]), np.array([150, 50])))
    assert re.search(r"tree +90\.00 +150", text)
