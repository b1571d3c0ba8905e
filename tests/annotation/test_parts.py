"""The parts of a session by themselves."""

import copy
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch
from tests.fixtures.ground import UTM, grid

from terrashot.annotation.feature_memory import FeatureMemory
from terrashot.annotation.overlay import Cell, CellFeatures, Overlay
from terrashot.annotation.picture import ScenePicture
from terrashot.annotation.places import PlacesToGo
from terrashot.annotation.strokes import as_polygon
from terrashot.annotation.turns import Rank, Turns
from terrashot.image_spec import ImageSpec
from terrashot.mapping.scene import inspect_scene


def test_the_memory_forgets_what_was_not_used_for_longest():
    memory = FeatureMemory(1)
    third = torch.zeros(350_000, dtype=torch.uint8)
    for name in "ab":
        memory.put(name, third)
    assert memory.get("a") is not None
    memory.put("c", third)
    assert memory.get("b") is None
    assert memory.get("a") is not None
    assert memory.megabytes == pytest.approx(0.67, abs=0.01)
    memory.put("a", torch.zeros(2 * 2**20, dtype=torch.uint8))  # larger than all of it
    assert memory.get("a") is None
    assert memory.megabytes == pytest.approx(0.33, abs=0.01)


def test_what_is_urgent_comes_first_and_all_in_one_thread():
    turns, order, threads, begun = Turns(), [], set(), threading.Event()
    full = threading.Barrier(2, timeout=60)

    def note(rank):
        order.append(rank)
        threads.add(threading.get_ident())

    def hold():
        begun.set()
        full.wait()

    with ThreadPoolExecutor(5) as callers:
        callers.submit(turns.run, Rank.BACKGROUND, hold)
        assert begun.wait(60)
        for rank in (Rank.BACKGROUND, Rank.VIEW, Rank.STROKE, Rank.VIEW):
            callers.submit(turns.run, rank, functools.partial(note, rank))
        while turns._waiting.qsize() < 4:
            time.sleep(0.001)
        full.wait()
    assert order == [Rank.STROKE, Rank.VIEW, Rank.VIEW, Rank.BACKGROUND]
    assert len(threads) == 1
    assert turns.run(Rank.VIEW, lambda: turns.quiet) == 0
    before = turns.quiet
    assert turns.run(Rank.BACKGROUND, lambda: turns.quiet) > before > 0
    with pytest.raises(ZeroDivisionError):
        turns.run(Rank.VIEW, lambda: 1 / 0)
    turns.close()


def test_a_cell_says_the_same_whatever_is_kept_of_its_window(network, write_raster):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 224, 288), dtype=np.uint8)
    scene = inspect_scene(write_raster("a.tif", pixels, crs=UTM, transform=grid()))
    small = Overlay(network, [scene], FeatureMemory(50), side=64, margin=128)
    cell = Cell(0, 1, 2)
    seen = small.features(cell)
    assert seen.size == (128, 128)  # 32 pixels around the cell
    ids, confidence = small.predict(cell, network)
    again = small.predict(cell, network)  # from memory
    np.testing.assert_array_equal(ids, again[0])
    image = torch.from_numpy(pixels).float().div(255)[None]
    with torch.no_grad():  # its window is all of the scene
        features = small._network(image)
        head = copy.copy(network)
        head.align_corners = False  # as maps are made
        whole = head.from_maps([features], (224, 288))[0].max(dim=0)
    cut = np.s_[64:128, 128:192]
    assert (ids == whole.indices.numpy()[cut]).mean() > 0.99  # kept in half precision
    np.testing.assert_allclose(confidence, whole.values.numpy()[cut] * 100, atol=1.5)


def test_doubt_about_a_new_class_comes_before_doubt_between_known_ones():
    logits = [[0, 6, 6, 0], [4, 0, 0, 5], [0, 0, 0, 9]]  # known ones alike; a new one or not; sure
    known = SimpleNamespace(num_base=3, novel=[1], names=["background", "tree", "road", "pool"])
    network = SimpleNamespace(
        taxonomy=known,
        num_classes=4,
        head=lambda features: features,
        segmenter=SimpleNamespace(head=SimpleNamespace(weight=torch.zeros(1))),
    )
    places = PlacesToGo([(512, 512)], 512, 4)
    columns = torch.zeros(4, 128, 128)
    columns[:] = torch.tensor(logits[2]).view(-1, 1, 1)
    for number, row in enumerate(logits[:2]):
        columns[:, 32:64, 32 + 64 * number : 40 + 64 * number] = torch.tensor(row).view(-1, 1, 1)
    valid = np.ones((512, 512), bool)
    places.add(Cell(0, 0, 0), CellFeatures(columns.float(), valid, 0, 0, (512, 512)))
    first, *_ = places.best(network, 3, lambda scene: np.empty(0, object))
    assert first.classes == ("pool", "background")
    assert (first.x, first.y) == (400, 144)
    known.novel, known.num_base = [], 4
    first, *_ = places.best(network, 3, lambda scene: np.empty(0, object))
    assert first.classes == ("tree", "road")


def test_pixels_without_data_have_no_class(network, write_raster):
    pixels = np.full((3, 96, 96), 90, np.uint8)
    pixels[:, :, 50:] = 0
    file = write_raster("a.tif", pixels, crs=UTM, transform=grid(), nodata=0)
    overlay = Overlay(network, [inspect_scene(file)], FeatureMemory(50), side=64, margin=32)
    ids, confidence = overlay.predict(Cell(0, 0, 0), network)
    assert (ids[:, 50:] == 255).all()
    assert (ids[:, :50] < 3).all()
    assert confidence[:, 50:].max() == 0


def test_a_large_scene_without_overviews_says_how_to_make_them(write_raster, monkeypatch):
    path = write_raster("my city.tif", np.full((3, 64, 64), 90, np.uint8))
    assert ScenePicture(inspect_scene(path)).advice == ""
    monkeypatch.setattr("terrashot.annotation.picture._LARGE", 1000)
    advice = ScenePicture(inspect_scene(path)).advice
    assert "64 x 64 pixels and no overviews" in advice
    assert f"`gdaladdo -ro '{path}'`" in advice
    with rasterio.open(path, "r+") as target:
        target.build_overviews([2])
    assert ScenePicture(inspect_scene(path)).advice == ""


def test_a_large_scene_is_shown_from_a_small_picture(write_raster):
    pixels = np.zeros((3, 64, 4200), np.uint8)
    pixels[0] = (np.arange(4200) // 17).clip(0, 255)
    picture = ScenePicture(inspect_scene(write_raster("long.tif", pixels)))
    assert picture.lowest == -5
    assert picture._factor == 3
    for zoom in (0, -1, -2, -5):
        span = 256 << -zoom
        column = 3000 // span
        assert picture.tile(zoom, column, 0) is not None
        assert picture.tile(zoom, column + 99, 0) is None
    colors, valid = picture._cut(0, 0, 64, 4200, (2, 132))
    assert valid.all()
    expected = (np.arange(132) + 0.5) * 4200 / 132 / 17
    np.testing.assert_allclose(colors[0, :, 0], expected, atol=2)


def test_a_scene_of_other_bands_and_type_is_shown_stretched_alike_in_all_tiles(write_raster):
    pixels = np.random.default_rng(0).integers(200, 1200, (5, 300, 300)).astype(np.uint16)
    pixels[:, :, 256:] += 800
    file = write_raster("s2.tif", pixels)
    scale = ((0.0, 10000.0),) * 4
    spec = ImageSpec((4, 3, 2, 5), "uint16", scale, (0.1,) * 4, (0.1,) * 4, (0, 1, 2))
    picture = ScenePicture(inspect_scene(file, spec))
    assert picture.tile(0, 0, 0)[:2] == b"\xff\xd8"
    low, high = picture._stretch
    assert low == pytest.approx(0.022, abs=0.01)
    assert 0.12 < high < 0.2
    picture.tile(0, 1, 0)
    assert picture._stretch == (low, high)


def test_a_polygon_that_crosses_itself_and_leaves_the_scene_is_cut():
    points = [[-50, 0], [50, 100], [50, 0], [-50, 100]]
    area = as_polygon({"tool": "polygon", "points": points}, 80, 40)
    assert area.bounds == (0, 10, 40, 80)
