"""Stage 1 from whole scenes and a layer, then a class more from another layer, then a map."""

import json

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.features import shapes as polygons_of
from shapely.geometry import shape
from tests.fixtures.ground import UTM, grid
from tests.fixtures.runs import MACHINE

from terrashot.app.main import main
from terrashot.model.adapted_file import load_adapted_model
from terrashot.model.stage1_file import find_checkpoint, load_base_classes

NAMES = {1: "field", 2: "roof", 3: "water"}
COLORS = {0: (90, 90, 90), 1: (60, 160, 40), 2: (190, 60, 50), 3: (30, 60, 170)}


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Two scenes of coloured blocks, their objects but one class, and that class."""
    root = tmp_path_factory.mktemp("city")
    rng = np.random.default_rng(0)
    found = []
    for number in range(2):
        blocks = rng.choice([0, 1, 1, 2, 2, 3], (12, 12))
        label = np.kron(blocks, np.ones((16, 16), int))
        pixels = np.stack([np.vectorize(lambda c, b=b: COLORS[c][b])(label) for b in range(3)])
        pixels = (pixels + rng.normal(0, 8, pixels.shape)).clip(1, 255).astype(np.uint8)
        place = grid(column=300 * number)
        profile = {"height": 192, "width": 192, "count": 3, "dtype": "uint8"}
        with rasterio.open(
            root / f"scene {number}.tif", "w", crs=UTM, transform=place, **profile
        ) as target:
            target.write(pixels)
        values = polygons_of(label.astype(np.uint8), label > 0, transform=place)
        found += [(shape(geometry), NAMES[int(value)]) for geometry, value in values]
    write(root / "base.gpkg", [(s, n) for s, n in found if n != "water"])
    write(root / "water.gpkg", [(s, n) for s, n in found if n == "water"])
    box = shapely.union_all([s for s, _ in found]).envelope
    write(root / "areas.gpkg", [(box, "all")])
    return root


def write(path, objects):
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array([s for s, _ in objects], dtype=object)),
        field_data=[np.array([n for _, n in objects], dtype=object)],
        fields=["class"],
        geometry_type="Polygon",
        crs=UTM,
    )


@pytest.fixture(scope="module")
def stage1(city, repository, tmp_path_factory, stage1_overrides):
    logs = tmp_path_factory.mktemp("logs")
    run = [
        *stage1_overrides,
        *scenes(city),
        f"data.scenes.areas={city / 'areas.gpkg'}",
        f"paths.logs={logs}",
        "logger=csv",
        *MACHINE,
        "trainer.max_epochs=6",
        "data.batch_size=8",
        "data.crop=64",
        "augmentation=none",
        "callbacks.panels=1",
        "loss=ldam",
    ]
    assert main(repository / "configs", run) == 0
    return logs


def scenes(city):
    labels = city / "base.gpkg"
    return ["data=scenes", f"data.root={city}", f"data.scenes.labels={labels}"]


def test_stage_1_learns_from_scenes_and_names_its_classes_by_the_layer(stage1):
    folder = stage1 / "stage1" / "latest"
    results = json.loads((folder / "results.json").read_text())
    assert results["best"]["val/base_miou"] > 0.5  # one class everywhere gives 0.13
    assert load_base_classes(find_checkpoint(str(folder))).names == ["background", "field", "roof"]


def test_a_class_is_added_and_mapped(stage1, city, repository, tmp_path):
    adapt = [
        "experiment=adapt",
        "data=scenes",
        f"data.root={city}",
        f"paths.logs={stage1}",
        f"support.labels={city / 'water.gpkg'}",
        f"support.images={city}/*.tif",
        "support.window=64",
        "logger=csv",
        *MACHINE,
    ]
    assert main(repository / "configs", adapt) == 0
    adapted = stage1 / "adapt" / "latest"
    assert load_adapted_model(adapted).taxonomy.names == ["background", "field", "roof", "water"]
    output = tmp_path / "maps"
    predict = ["experiment=predict", f"ckpt={adapted}", f"input={city}", f"output={output}"]
    assert main(repository / "configs", [*predict, *MACHINE, f"paths.logs={stage1}"]) == 0
    assert len(list(output.glob("*.tif"))) == 2


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["experiment=stage1", "data=scenes", "data.root=x"], "data.scenes.labels has no value"),
        (["experiment=stage2", "data=scenes", "data.root=x"], "experiment=stage2 reads tiles"),
        (["experiment=adapt", "data=scenes", "data.root=x"], "names no classes of its own"),
        (["experiment=stage1", "data.scenes.balanced=true"], "choose data=scenes"),
        (["experiment=stage1", "LABELS", "data.train_share=0.5"], "data.train_share is of a"),
        (["experiment=stage1", "LABELS", "data.taxonomy.base=[field]"], "has objects of roof"),
        (["experiment=stage1", "LABELS", "data.scenes.images=no.tif"], "data.scenes.images=no.tif"),
        (["experiment=stage1", "LABELS", "data.scenes.held_out=1.5"], "held_out is 1.5"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(
    overrides, words, city, repository, tmp_path, capsys
):
    given = [part for o in overrides for part in (scenes(city) if o == "LABELS" else [o])]
    assert main(repository / "configs", [*given, f"paths.logs={tmp_path}"]) == 1
    assert words in " ".join(capsys.readouterr().err.split())
