"""Windows of a remote scene are those of the local file, whatever the server does."""

import time

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from terrashot.errors import DataError
from terrashot.mapping import pieces
from terrashot.mapping.discovery import find_scenes
from terrashot.mapping.scene import inspect_scene
from terrashot.mapping.scene_sample import SceneSample
from terrashot.mapping.source import TileSource

SIDE = 700
TILED = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
COG = {"driver": "COG", "blocksize": 256, "compress": "deflate"}
WINDOWS = [(y, x, 384, 384) for y in range(0, SIDE, 320) for x in range(0, SIDE, 320)]


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE)).astype(np.uint8)


def looked_at(address):
    (path,) = find_scenes(str(address))
    return inspect_scene(path)


def read_all(scene, windows=WINDOWS, **options):
    with TileSource(scene, windows, **options) as source:
        return [source.read(*window) for window in windows]


def assert_same(one, other):
    for (pixels, valid), (own, own_valid) in zip(one, other, strict=True):
        np.testing.assert_array_equal(pixels, own)
        np.testing.assert_array_equal(valid, own_valid)


@pytest.mark.parametrize(
    "profile",
    [
        COG,
        {**COG, "blocksize": 128, "nodata": 0, "interleave": "band"},
        {"compress": "deflate", "blockysize": 16},
        {"driver": "PNG"},
    ],
    ids=["blocks", "small blocks", "strips", "PNG"],
)
def test_windows_from_an_address_are_those_of_the_file(served, write_raster, picture, profile):
    end = ".png" if profile.get("driver") == "PNG" else ".tif"
    path = write_raster(f"www/a{end}", picture, **profile)
    assert_same(read_all(looked_at(f"{served.url}/a{end}")), read_all(looked_at(path)))


def test_each_block_is_asked_for_once_and_several_at_once(served, write_raster, picture):
    write_raster("www/a.tif", picture, **COG)
    scene = looked_at(f"{served.url}/a.tif")
    late = {"path": "a.tif", "kind": "late", "seconds": 0.3}
    served.faults(late)
    read_all(scene, requests=5)
    log = served.log()
    asked = [r for r in served.ranges() if int(r.removeprefix("bytes=").split("-")[0]) > 1 << 16]
    assert len(asked) == len(set(asked)) == 9
    assert 3 <= log["at_once"] <= 6  # the server may see a next request before it has done
    served.faults(late)
    read_all(scene, requests=1)
    assert served.log()["at_once"] <= 2


def test_what_takes_too_much_room_is_asked_for_again(served, write_raster, picture, monkeypatch):
    path = write_raster("www/a.tif", picture, **TILED)
    monkeypatch.setattr(pieces, "_MOST", 1)
    scene = looked_at(f"{served.url}/a.tif")
    assert_same(read_all(scene, requests=1), read_all(looked_at(path)))


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": 503, "times": 5},
        {"kind": 503, "times": 5, "retry_after": 1},
        {"kind": 429, "times": 3},
        {"kind": "cut", "times": 5},
        {"kind": "stall", "times": 1},
    ],
    ids=["503", "503 with Retry-After", "429", "cut", "stall"],
)
def test_a_fault_that_passes_leaves_no_trace(served, write_raster, picture, fault):
    path = write_raster("www/a.tif", picture, **TILED)
    scene = looked_at(f"{served.url}/a.tif")
    served.faults({"path": "a.tif", "after": 4, **fault})
    assert_same(read_all(scene), read_all(looked_at(path)))
    assert any(r["fault"] for r in served.log()["requests"])


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_blocks_whose_places_do_not_come_are_not_taken_for_empty(
    served, write_raster, picture, interleave
):
    path = write_raster("www/a.tif", picture, **TILED, interleave=interleave)
    scene = looked_at(f"{served.url}/a.tif")
    own = read_all(looked_at(path))
    with TileSource(scene, WINDOWS, requests=1) as source:
        rasterio.open(scene.raster.path.gdal).close()  # what GDAL keeps of the header goes with it
        served.faults({"path": "a.tif", "kind": 503, "times": 4})
        assert_same([source.read(*window) for window in WINDOWS], own)
    assert sum(r["fault"] == 503 for r in served.log()["requests"]) == 4


@pytest.mark.parametrize("options", [{}, {"interleave": "band", "bigtiff": "yes"}])
def test_blocks_that_the_file_leaves_out_are_read_as_empty(served, write_raster, picture, options):
    picture[:, :256, 256:] = picture[:, 512:] = 0
    path = write_raster("www/a.tif", picture, **TILED, nodata=0, sparse_ok=True, **options)
    with rasterio.open(path) as file:
        assert file.get_tag_item("BLOCK_OFFSET_1_0", "TIFF", bidx=1) is None
    assert_same(read_all(looked_at(f"{served.url}/a.tif")), read_all(looked_at(path)))


@pytest.mark.parametrize("kind", [503, "cut"])
def test_a_header_that_comes_at_the_second_attempt_is_enough(served, write_raster, picture, kind):
    write_raster("www/a.tif", picture, **TILED)
    whole = looked_at(f"{served.url}/a.tif")
    served.faults({"path": "a.tif", "kind": kind, "times": 3, "all": True})
    assert looked_at(f"{served.url}/a.tif") == whole


def test_a_fault_that_stays_names_address_place_and_remedy(served, write_raster, picture):
    write_raster("www/a.tif", picture, **TILED)
    scene = looked_at(f"{served.url}/a.tif?sig=secret")
    served.faults({"path": "a.tif", "kind": "cut", "after": 3})
    with pytest.raises(DataError, match=r"the same command goes on") as error:
        read_all(scene)
    said = str(error.value)
    assert f"{served.url}/a.tif?...: rows " in said
    assert "bytes came" in said
    assert "secret" not in said
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


@pytest.mark.parametrize(("kind", "why"), [(403, "a signature may have ended"), (404, "no such")])
def test_what_is_denied_is_not_asked_for_again(served, write_raster, picture, kind, why):
    write_raster("www/a.tif", picture, **TILED)
    served.faults({"path": "a.tif", "kind": kind, "all": True})
    began = time.monotonic()
    with pytest.raises(DataError, match=why):
        looked_at(f"{served.url}/a.tif")
    assert len(served.log()["requests"]) <= 3
    assert time.monotonic() - began < 5


def test_masks_beside_a_remote_file_count_as_they_do_on_disk(served, write_raster, picture):
    path = write_raster("www/a.tif", picture, **TILED)
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[100:300, 50:600] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    assert path.with_name("a.tif.msk").is_file()
    here, there = looked_at(path), looked_at(f"{served.url}/a.tif")
    assert here.raster.mask == there.raster.mask == "mask"
    assert_same(read_all(there), read_all(here))
    signed = looked_at(f"{served.url}/a.tif?sig=1")  # nothing lies beside such an address
    assert signed.raster.mask == "none"


def test_a_sample_of_windows_is_drawn_from_an_address(served, write_raster, picture):
    path = write_raster("www/a.tif", picture, **TILED)
    here, there = (
        list(SceneSample([looked_at(place)], 3, 256, seed=1))
        for place in (path, f"{served.url}/a.tif")
    )
    for (image, valid), (own, own_valid) in zip(here, there, strict=True):
        assert (image == own).all()
        assert (valid == own_valid).all()


def test_content_and_place_tell_scenes_apart(served, write_raster, picture):
    place = {"crs": "EPSG:32633", "transform": from_origin(4e5, 5e6, 1, 1)}
    write_raster("www/a.tif", picture, **TILED, **place)
    first, again = (looked_at(f"{served.url}/a.tif?sig={n}") for n in (1, 2))
    assert first.content == again.content
    assert first.raster.path.key == again.raster.path.key
    picture[:, 200:210, 290:310] = 0  # between all samples; its block takes fewer bytes
    write_raster("www/a.tif", picture, **TILED, **place)
    assert looked_at(f"{served.url}/a.tif").content != first.content


def test_a_turned_picture_is_refused_from_an_address_too(served):
    from PIL import Image, TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = 6
    Image.new("RGB", (64, 64)).save(served.folder / "turned.tif", tiffinfo=tags)
    with pytest.raises(DataError, match="orientation tag 6"):
        looked_at(f"{served.url}/turned.tif")
