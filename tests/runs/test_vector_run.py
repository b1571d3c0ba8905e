"""experiment=adapt on polygons, lines and points, with data that need no support tiles."""

import json

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.features import shapes as polygons_of
from shapely.geometry import shape
from tests.fixtures.ground import UTM, grid

from terrashot.demo.classes import TAXONOMY
from terrashot.model.adapted_file import load_adapted_model


@pytest.fixture
def drawn(tiny_root, tmp_path):
    """Support tiles on the ground beside each other, and their objects in a GeoPackage."""
    lists = json.loads((tiny_root / "test.json").read_text())["support_set"]
    shapes, names = [], []
    (tmp_path / "city").mkdir()
    for number, (key, files) in enumerate(lists.items()):
        with rasterio.open(tiny_root / "testset/images" / files[0]) as source:
            pixels = source.read()
        with rasterio.open(tiny_root / "testset/labels" / files[0]) as source:
            label = source.read(1)
        place = grid(column=64 * number)
        profile = {"height": 64, "width": 64, "count": 3, "dtype": "uint8"}
        path = tmp_path / "city" / files[0]
        with rasterio.open(path, "w", crs=UTM, transform=place, **profile) as target:
            target.write(pixels)
        found = [shape(s) for s, _ in polygons_of(label, label == int(key), transform=place)]
        shapes += found
        names += [f"new {key}"] * len(found)
    path = tmp_path / "new.gpkg"
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array(shapes, dtype=object)),
        field_data=[np.array(names, dtype=object)],
        fields=["kind"],
        geometry_type="Polygon",
        crs=UTM,
    )
    return path, tmp_path / "city", names


@pytest.fixture
def run(run_here, trained, tmp_path):
    def run(*overrides, code=0):
        checkpoint = f"checkpoint={trained / 'stage1' / 'latest'}"
        fixed = ["experiment=adapt", checkpoint, "logger=csv", "adaptation.panels=0"]
        assert run_here(tmp_path / "logs", *fixed, *overrides) == code
        return tmp_path / "logs" / "adapt"

    return run


def test_a_layer_beside_images_makes_an_adapted_model(run, drawn, capsys):
    path, city, names = drawn
    folder = run(
        f"support.labels={path}",
        f"support.images={city}/*.tif",
        "support.attribute=kind",
        "support.window=64",
        "data.root=/nowhere",
    )
    model = load_adapted_model(folder / "latest")
    assert [c.name for c in model.taxonomy.novel] == sorted(set(names))
    info = model.provenance
    assert info["data"] == {"name": "vectors", "split": None}
    assert info["vectors"]["objects"] == {name: names.count(name) for name in sorted(set(names))}
    assert info["vectors"]["windows"] == sum(map(len, info["support"].values())) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "labels: new.gpkg (" in said
    assert "not scored: the queries of data=demo have the classes" in said
    results = json.loads((folder / "latest" / "results.json").read_text())
    assert results["metrics"] == {}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["support.window=64"], "support.window is set, but support.labels has no value"),
        (["support.labels=LABELS"], "support.images has no value"),
        (["support.labels=LABELS", "support.images=CITY"], "no attribute 'class'; it has kind"),
        (["support.labels=L.gpkg", "support.images=CITY"], "L.gpkg: there is no such file"),
        (["support.labels=LABELS", "support.images=CITY", "support.sure=2"], "support.sure is 2"),
        (
            ["support.labels=LABELS", "support.images=CITY", "data.support_draw=1"],
            "data.support_draw=1 draws support tiles of the data",
        ),
        (
            ["support.labels=LABELS", "support.images=CITY", "input=queries", "method=diam",
             "transduction=diam"],
            "input=queries learns from the query tiles of the data",
        ),
        (
            ["support.labels=LABELS", "support.images=CITY", "support.attribute=kind",
             "postprocess=clean"],
            "postprocess mends the maps that are scored, but nothing is",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_at_once(run, drawn, capsys, overrides, words):
    path, city, _ = drawn
    given = [o.replace("LABELS", str(path)).replace("CITY", str(city)) for o in overrides]
    folder = run(*given, code=1)
    assert words in " ".join(capsys.readouterr().err.split())
    assert not folder.exists()


def test_queries_of_the_same_classes_score_it(run, drawn, tiny_root):
    path, city, _ = drawn
    novel = [c["name"] for c in TAXONOMY["novel"]]
    meta, _, wkb, columns = pyogrio.raw.read(path)
    renamed = np.array([novel[int(name.split()[1]) - 8] for name in columns[0]], dtype=object)
    pyogrio.raw.write(
        path, wkb, [renamed], ["class"], geometry_type="Polygon", crs=meta["crs"], layer="named"
    )
    folder = run(
        f"support.labels={path}",
        f"support.images={city}",
        "support.layer=named",
        "support.window=64",
    )
    results = json.loads((folder / "latest" / "results.json").read_text())
    assert results["queries"] == 5
    assert results["metrics"]["test/novel_miou"] > 0.05
    learned = load_adapted_model(folder / "latest").taxonomy
    assert [c.name for c in learned.novel] == novel
