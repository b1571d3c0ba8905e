"""Strokes teach, the head is that of the command line, and the overlay is what it maps."""

import time

import numpy as np
import pytest
import rasterio
from tests.annotation.conftest import SIZE, box
from tests.fixtures.ground import UTM, grid

from terrashot.annotation.errors import RefusedError
from terrashot.annotation.finish import Sources, command_lines, finish
from terrashot.annotation.overlay import Cell
from terrashot.annotation.session import check_systems
from terrashot.annotation.teacher import Teaching
from terrashot.data.labels.layer import read_layer
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.map_scene import map_scene
from terrashot.mapping.scene import inspect_scene
from terrashot.model.model import load


def draw(session, stroke, name="pool", scene=0):
    return session.draw(session.store.version, scene, name, stroke)


def whole(session, scene=0):
    """Class ids of all cells of a scene."""
    size = session.scenes[scene].height, session.scenes[scene].width
    ids = np.zeros(size, np.uint8)
    side = session.overlay.side
    for cell in session.overlay.cells(scene):
        part = session.cell(cell)[1]
        top, left = cell.row * side, cell.column * side
        ids[top : top + part.shape[0], left : left + part.shape[1]] = part
    return ids


def test_a_stroke_lies_where_it_was_drawn_and_comes_back_as_it_was(session, tmp_path):
    draw(session, box(90, 60, 30, 20))
    _, (label,) = session.shapes(0)
    ring = np.array(label["parts"][0][0])
    assert ring.min(axis=0).tolist() == [30, 20]
    assert ring.max(axis=0).tolist() == [90, 60]
    layer = read_layer(tmp_path / "city.gpkg")
    place = grid()
    left, top = place @ (30, 20)
    assert layer.shapes[0].bounds[0] == pytest.approx(left)
    assert layer.shapes[0].bounds[3] == pytest.approx(top)


def test_the_head_is_that_of_the_command_line_and_features_are_kept(session, base, scene_file):
    calls = []
    maps = base.network.segmenter.maps
    base.network.segmenter.maps = lambda image: calls.append(image.shape) or maps(image)
    draw(session, box(30, 20, 90, 60))
    first = session.teach()
    assert first.number == 1
    assert first.taught.network.taxonomy.names == ["background", "tree", "road", "pool"]
    seen = len(calls)
    assert seen == first.taught.windows
    draw(session, box(2, 2, 12, 12), "road")
    second = session.teach()
    assert second.number == 2
    assert len(calls) == seen + second.taught.windows - first.taught.windows
    assert any("road" in note for note in second.taught.notes)
    assert session.teach() is second  # nothing new was drawn

    seen = {"features": "decoder", "layer": "labels", "window": 64}
    same = base.adapt(session.store.path, images=scene_file, **seen)
    for name, value in same.network.head.state_dict().items():
        np.testing.assert_array_equal(value, second.taught.network.head.state_dict()[name])


def test_a_base_class_is_corrected(session):
    draw(session, box(30, 20, 90, 60))
    before = whole_after(session)
    corrected = np.s_[100:140, 120:190]
    other = next(i for i in (1, 2) if (before[corrected] != i).any())
    draw(session, box(120, 100, 190, 140), session.model.classes[other])
    after = whole_after(session)
    assert (after[corrected] == other).mean() > (before[corrected] == other).mean()


def whole_after(session):
    session.teach()
    return whole(session)


def test_labels_of_known_classes_alone_teach_nothing_and_say_so(session):
    assert session.teach().taught.notes == []
    draw(session, box(30, 20, 90, 60), "road")
    head = session.teach()
    assert head.taught.network is session.model.network
    assert "Draw a new class first" in head.taught.notes[0]


@pytest.mark.parametrize("features", ["decoder", "stages"])
def test_finish_writes_what_the_overlay_showed(open_session, base, scene_file, tmp_path, features):
    teaching = Teaching(window=64, features=features)
    # The network sees as much as in a map.
    session = open_session(side=128, margin=128, teaching=teaching)
    session.store.add_class(session.store.version, "pool", "#0102fe")
    session.store.add_class(session.store.version, "nothing drawn", "#0102ff")
    draw(session, box(30, 20, 90, 60))
    shown = whole_after(session)
    sources = Sources(tmp_path / "stage1.ckpt", str(scene_file), tmp_path / "out")
    told = []
    files = finish(base, session.store, teaching, sources, lambda *state: told.append(state))
    names = sorted(path.name for path in files)
    assert names == ["adapted.ckpt", "city.tif", "commands.txt"]
    assert told[0] == ("adapting", 0.0)
    assert told[-1] == ("mapping", 1.0)
    with rasterio.open(tmp_path / "out/maps/city.tif") as source:
        mapped = source.read(1)
    made = load(tmp_path / "out/adapted.ckpt").taxonomy.novel
    assert [(c.name, c.color) for c in made] == [("pool", "#0102fe")]
    assert (mapped[25:55, 35:85] == 3).mean() > 0.9
    # Only in the map are four views averaged, which changes much in a network of random weights.
    (plain,) = map_scene(
        load(tmp_path / "out/adapted.ckpt"), scene_file, tmp_path / "plain", views="plain"
    )
    with rasterio.open(plain) as source:
        assert (source.read(1) == shown).mean() > 0.99
    finish(base, session.store, teaching, sources, lambda *state: None)  # once more


def test_the_commands_name_everything_that_makes_the_model(session, tmp_path):
    sources = Sources(tmp_path / "a b.ckpt", "scenes/*.tif", tmp_path / "out", [3, 2, 1])
    first, second = command_lines(session.store, Teaching(window=64, sure=None), sources)
    assert first.startswith("terrashot experiment=adapt 'checkpoint=")
    for word in ("'support.images=scenes/*.tif'", "'support.bands=[3,2,1]'", "support.window=64",
                 "support.layer=labels", "method=terrashot", "support.sure=null"):  # fmt: skip
        assert word in first.split(" ")
    assert "adaptation.features=decoder" in first.split(" ")  # not what the method would see
    assert "experiment=predict" in second
    assert f"ckpt={tmp_path}/out/again/adapted.ckpt" in second


def test_several_scenes_share_one_file(open_session, scene_file, write_raster, tmp_path):
    pixels = np.full((3, 64, 64), 90, np.uint8)
    east = write_raster("east.tif", pixels, crs=UTM, transform=grid(column=400))
    session = open_session(scenes=[scene_file, east])
    session.store.add_class(session.store.version, "pool")
    draw(session, box(0, 0, 20, 20), scene=1)
    assert session.shapes(0)[1] == []
    assert len(session.shapes(1)[1]) == 1
    draw(session, box(30, 20, 90, 60), scene=0)
    assert len(session.shapes(0)[1]) == 1
    assert session.teach().taught.windows == 2


def test_labels_in_another_reference_system(open_session, write_layer, scene_file):
    import shapely
    from rasterio.warp import transform

    place = grid()
    x, y = zip(*[place @ point for point in [(30, 20), (90, 20), (90, 60), (30, 60)]], strict=True)
    longitude, latitude = transform(UTM, "EPSG:4326", x, y)
    corners = list(zip(longitude, latitude, strict=True))
    path = write_layer([shapely.Polygon(corners)], ["pool"], "world.gpkg", crs="EPSG:4326")
    session = open_session(path=path)
    _, (label,) = session.shapes(0)
    ring = np.array(label["parts"][0][0])
    np.testing.assert_allclose(ring.min(axis=0), [30, 20], atol=0.05)
    np.testing.assert_allclose(ring.max(axis=0), [90, 60], atol=0.05)
    draw(session, box(100, 100, 110, 120))
    assert read_layer(path).crs.to_epsg() == 4326
    _, labels = session.shapes(0)
    np.testing.assert_allclose(
        np.array(labels[1]["parts"][0][0]).min(axis=0), [100, 100], atol=0.05
    )


def test_a_scene_without_a_place_on_earth_is_labelled_in_its_pixels(
    open_session, write_raster, scene_file, base
):
    plain = write_raster("plain.tif", np.full((3, 64, 64), 90, np.uint8))
    session = open_session(scenes=[plain])
    session.store.add_class(session.store.version, "pool")
    draw(session, box(10, 10, 30, 30))
    assert np.array(session.shapes(0)[1][0]["parts"][0][0]).max() == 30
    assert session.teach().taught.windows == 1
    both = [inspect_scene(path, base.imagery) for path in (scene_file, plain)]
    with pytest.raises(ConfigError, match=r"plain\.tif names no reference system"):
        check_systems(both)
    with pytest.raises(DataError, match="names no reference system for its labels"):
        open_session(scenes=[scene_file], path=session.store.path)


@pytest.mark.parametrize(
    "stroke",
    [
        {"tool": "laser", "points": [[0, 0]]},
        {"tool": "polygon", "points": [[0, 0], [1, 1]]},
        {"tool": "rectangle", "points": [[0, 0]]},
        {"tool": "brush", "points": [[0, 0]]},
        {"tool": "brush", "points": [[0, 0]], "width": float("nan")},
        {"tool": "brush", "points": [[0, 0]], "width": 1e6},
        {"tool": "polygon", "points": [[0, 0], [1, "x"], [3, 3]]},
        {"tool": "polygon", "points": "here"},
        {"tool": "point", "points": [[-50, -50]], "width": 4},
        {"tool": "rectangle", "points": [[1e9, 0], [1, 1]]},
    ],
)
def test_strokes_that_are_none_are_refused(session, stroke):
    with pytest.raises(RefusedError):
        draw(session, stroke)
    assert session.store.labels == []


def test_brush_point_and_eraser_have_a_width(session):
    draw(session, {"tool": "point", "points": [[50, 50]], "width": 10})
    assert session.store.labels[0].shape.area == pytest.approx(np.pi * 25 * 4, rel=0.02)  # 2 m
    draw(session, {"tool": "brush", "points": [[100, 50], [140, 50]], "width": 10})
    assert session.store.labels[1].shape.area == pytest.approx((400 + np.pi * 25) * 4, rel=0.02)
    draw(session, {"tool": "eraser", "points": [[120, 30], [120, 70]], "width": 8})
    assert len(session.store.labels) == 3


def test_the_places_to_go_are_apart_unlabelled_and_off_the_border(session):
    assert session.places() == (0.0, [])
    session.start()
    while session.places()[0] < 1:
        time.sleep(0.05)
    draw(session, box(30, 20, 90, 60))
    session.teach()
    share, places = session.places()
    assert share == 1.0
    assert places
    for place in places:
        assert 32 <= place.x <= SIZE[1] - 32
        assert 32 <= place.y <= SIZE[0] - 32
        assert not (30 - 16 < place.x < 90 + 16 and 20 - 16 < place.y < 60 + 16)
        assert 0 <= place.doubt <= 1
    for number, place in enumerate(places):
        for other in places[:number]:
            assert max(abs(place.x - other.x), abs(place.y - other.y)) >= 128


def test_cells_that_are_none_are_refused(session):
    for cell in (Cell(1, 0, 0), Cell(0, 99, 0), Cell(0, 0, 99), Cell(0, -1, 0)):
        with pytest.raises(RefusedError):
            session.cell(cell)


def test_a_scene_that_disappears_is_an_error_and_the_labels_stay(session, scene_file):
    draw(session, box(30, 20, 90, 60))
    scene_file.unlink()
    with pytest.raises(DataError, match="does not exist"):
        session.cell(Cell(0, 0, 0))
    with pytest.raises(DataError, match="does not exist"):
        session.teach()
    draw(session, box(100, 100, 120, 120))
    assert len(session.store.labels) == 2
