"""The commands sample and assess as they are typed, from a map to its figures."""

import csv
import shlex
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from tests.fixtures.class_maps import write_classes, write_layer
from tests.fixtures.documents import commands, documents
from tests.fixtures.ground import grid

from terrashot.cli import assess, sample
from terrashot.cli.command import parse_settings
from terrashot.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("other", "tree", "<b>water</b> & co")


@pytest.fixture
def city(tmp_path, monkeypatch):
    """A truth and the file of a map of it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (20, 20)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
    mapped = np.where(rng.random(truth.shape) < 0.2, rng.integers(0, 3, truth.shape), truth)
    write_classes(tmp_path / "city.tif", mapped.astype(np.uint8), NAMES)
    write_classes(tmp_path / "truth.tif", truth, NAMES)
    return truth, mapped


def label(truth, path):
    """Fill in the classes of a drawn sample, as a person would."""
    meta, _, wkb, columns = pyogrio.raw.read(path)
    points = shapely.from_wkb(wkb)
    x, y = ~grid() @ shapely.get_coordinates(points).T
    words = [NAMES[k] for k in truth[np.floor(y).astype(int), np.floor(x).astype(int)].tolist()]
    fields = dict(zip(meta["fields"].tolist(), columns, strict=True)) | {"class": words}
    write_layer(Path("labelled.gpkg"), list(points), meta["crs"], **fields)


def records(path):
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))


def test_a_sample_is_drawn_labelled_and_assessed(city, capsys):
    truth, mapped = city
    assert main(["sample", "map=city.tif", "n=600", "allocation=equal", "seed=3"]) == 0
    assert "600 points in city_points.gpkg" in capsys.readouterr().out
    label(truth, "city_points.gpkg")
    # So wide that a sample which misses the truth is one of a thousand.
    line = ["assess", "map=city.tif", "reference=labelled.gpkg", "confidence=0.999"]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "Area (ha) and accuracy (%) of each class, 99.9 % intervals" in said
    assert "Error matrix" in said
    assert max(len(line) for line in said.splitlines()) <= 80
    rows = records("city_accuracy/accuracy.csv")
    assert [row["class"] for row in rows] == [*NAMES, "(all)"]
    low, high = (float(rows[-1][f"overall_{end}"]) for end in ("low", "high"))
    assert low < (mapped == truth).mean() < high
    for number, row in enumerate(rows[:3]):
        assert float(row["area_low"]) < (truth == number).sum() * 4e-4 < float(row["area_high"])
    page = Path("city_accuracy/accuracy.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;water&lt;/b&gt; &amp; co" in page
    assert "<b>water" not in page
    assert "terrashot assess map=city.tif" in page
    latex = Path("city_accuracy/accuracy.tex").read_text(encoding="utf-8")
    assert r"\& co" in latex
    matrix = records("city_accuracy/error_matrix.csv")
    assert sum(float(row["share_of_area"]) for row in matrix) == pytest.approx(1)
    assert sum(int(row["points"]) for row in matrix) == 600


def test_a_truth_is_counted_and_results_are_never_written_over(city, capsys):
    truth, mapped = city
    line = ["assess", "--map", "city.tif", "--reference", "truth.tif", "--output", "out"]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert f"{100 * (mapped == truth).mean():.1f}" in said
    assert "±" not in said
    before = {path: path.read_bytes() for path in Path("out").iterdir()}
    assert len(before) == 4
    assert main(line) == 1
    assert "is there already and is left as it is" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("assess map=city.tif reference=no.gpkg", "no.gpkg does not exist"),
        ("assess map=no.tif reference=truth.tif", "no.tif does not exist"),
        ("assess map=city.tif reference=truth.tif output=truth.tif", "truth.tif is a file"),
        ("sample map=city.tif n=10", "3 strata with at least 50"),
        ("sample map=city.tif", "needs its size"),
        ("sample map=city.tif n=200 expected=high", "'high' is neither a share"),
    ],
)
def test_what_is_wrong_is_said_in_a_paragraph(city, capsys, line, message):
    assert main(shlex.split(line)) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert {path.name.split(".")[0] for path in Path().iterdir()} == {"city", "truth"}


def test_a_setting_that_is_none_is_wrong_usage(city, capsys):
    for line in ("assess map=city.tif refrence=x.gpkg", "sample map=city.tif m=10"):
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line))
        assert ended.value.code == 2


def test_expected_accuracies():
    assert sample._expected("0.9,tall tree:0.7,a:b:0.5") == (0.9, {"tall tree": 0.7, "a:b": 0.5})
    assert sample._expected("water:1") == (0.8, {"water": 1.0})


def test_the_commands_of_the_pages_are_ones_that_are_taken():
    parsers = {"assess": assess.build_parser, "sample": sample.build_parser}
    found = 0
    for page in documents(REPOSITORY):
        for command in commands(page, page.name):
            name, *rest = command.arguments or ("",)
            if command.program == "terrashot" and name in parsers and rest:
                parse_settings(parsers[name](), rest)
                found += 1
    assert found >= 5


@pytest.mark.parametrize("words", [["--map", "a=b.tif"], ["map=a=b.tif"], ["--map=a=b.tif"]])
def test_a_name_may_have_any_signs(words):
    parsed = parse_settings(assess.build_parser(), [*words, "reference=points.gpkg"])
    assert (parsed.map, parsed.reference) == (Path("a=b.tif"), Path("points.gpkg"))
