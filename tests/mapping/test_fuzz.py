"""Rasters of every kind, whole and damaged: a map, or one clear error, never anything else.

``FUZZ_EXAMPLES=2000 pytest tests/mapping/test_fuzz.py`` tries more of them than the tests do.
"""

import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

import terrashot
from terrashot.data.reading import read_tile
from terrashot.errors import TerrashotError
from terrashot.image_spec import ImageSpec
from terrashot.mapping.scene import inspect_scene
from terrashot.mapping.source import TileSource
from terrashot.model.model import Model

pytest.importorskip("hypothesis", reason="a tool of development")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SYSTEMS = (
    None, "EPSG:32633", "EPSG:4326", "EPSG:3857", "EPSG:3395", "EPSG:4807", "EPSG:2225",
    "EPSG:3413", "EPSG:3035", 'LOCAL_CS["site",UNIT["metre",1]]',
)  # fmt: skip
TRANSFORMS = (
    None,
    Affine(0.5, 0, 400_000, 0, -0.5, 5_000_000),
    Affine(1e-5, 0, 10, 0, -1e-5, 50),
    Affine(0.4, 0.3, 400_000, 0.3, -0.4, 5_000_000),
    Affine(0.5, 0, 400_000, 0, 0.5, 5_000_000),  # south up
    Affine(1e7, 0, -3e7, 0, -1e7, 3e7),  # beyond the Earth
)
COLORS = [
    c for c in ColorInterp if c.name in ("red", "green", "blue", "alpha", "gray", "undefined")
]
TYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64", "complex64")
SPECS = (
    ImageSpec(),
    ImageSpec((1, 2), "uint16", ((0.0, 900.0),) * 2, (0.5,) * 2, (0.2,) * 2, (0, 1, 1)),
    ImageSpec((3, 2, 1), "float32", ((-1.0, 1.0),) * 3),
)


@st.composite
def rasters(draw):
    """What a file is made of."""
    dtype = draw(st.sampled_from(TYPES))
    count = draw(st.integers(1, 6))
    colors = st.lists(st.sampled_from(COLORS), min_size=count, max_size=count)
    tiled = draw(st.booleans())
    return {
        "dtype": dtype,
        "count": count,
        "height": draw(st.integers(1, 150)),
        "width": draw(st.integers(1, 150)),
        "crs": draw(st.sampled_from(SYSTEMS)),
        "transform": draw(st.sampled_from(TRANSFORMS)),
        "nodata": draw(st.sampled_from([None, 0, 255, -1, float("nan")])),
        "interleave": draw(st.sampled_from(["pixel", "band"])),
        "compress": draw(st.sampled_from(["none", "deflate", "lzw"])),
        "colors": draw(st.none() | colors),
        "seed": draw(st.integers(0, 2**16)),
        "fill": draw(st.sampled_from(["noise", "zero", "top", "nan", "empty corner"])),
        "mask": draw(st.booleans()),
        "damage": draw(st.sampled_from(["none"] * 5 + ["cut", "overwritten", "empty", "text"])),
        **({"tiled": True, "blockxsize": 32, "blockysize": 32} if tiled else {}),
    }


def write(path: Path, raster: dict) -> None:
    """Write the file; what GDAL itself refuses to write is written without it."""
    raster = dict(raster)
    rng = np.random.default_rng(raster.pop("seed"))
    fill, mask, damage = raster.pop("fill"), raster.pop("mask"), raster.pop("damage")
    colors, dtype = raster.pop("colors"), np.dtype(raster["dtype"])
    top = 1.0 if dtype.kind in "fc" else float(np.iinfo(dtype).max)
    shape = (raster["count"], raster["height"], raster["width"])
    pixels = (rng.random(shape) * min(top, 1000)).astype(dtype)
    if fill == "zero":
        pixels[:] = 0
    elif fill == "top":
        pixels[:] = np.asarray(top).astype(dtype)
    elif fill == "nan" and dtype.kind in "fc":
        pixels[:, ::2] = np.nan
    elif fill == "empty corner":
        pixels[:, : shape[1] // 2, : shape[2] // 2] = 0
    if dtype.kind in "uic" and raster["nodata"] not in (None, 0):
        low = 0 if dtype.kind == "c" else np.iinfo(dtype).min
        if raster["nodata"] != raster["nodata"] or raster["nodata"] < low:
            raster["nodata"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", **raster) as file:
            if colors is not None:
                file.colorinterp = colors
            file.write(pixels)
            if mask:
                file.write_mask(rng.random(shape[1:]) > 0.3)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) * 2 // 3]
    elif damage == "overwritten":
        start = len(content) // 3
        content[start : start + len(content) // 4] = rng.bytes(len(content) // 4)
    elif damage == "empty":
        content = bytearray()
    elif damage == "text":
        content = bytearray(b"<html>404</html>")
    path.write_bytes(content)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@TRIED
@given(
    raster=rasters(),
    spec=st.sampled_from(SPECS),
    scale=st.sampled_from([None, (0.0, 500.0), "percentile", "full"]),
    bands=st.none() | st.lists(st.integers(0, 7), min_size=1, max_size=3),
)
@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_file_is_read_or_refused_with_one_clear_error(raster, spec, scale, bands):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        write(path, raster)
        try:
            scene = inspect_scene(path, spec, bands, scale)
            windows = [(top, 0, 64, 96) for top in range(0, scene.height, 64)]
            with TileSource(scene, windows) as source:
                for window in windows:
                    image, valid = source.read(*window)
                    assert image.shape == (spec.channels, 64, 96)
                    assert valid.shape == (64, 96)
                    assert image.dtype == np.uint8 or (0 <= image.min() <= image.max() <= 1)
        except TerrashotError as error:
            said(error, path)
        try:
            tile = read_tile(path, spec)
            assert tile.pixels.shape == (spec.channels, raster["height"], raster["width"])
            assert (tile.pixels[:, ~tile.valid] == 0).all()
        except TerrashotError as error:
            said(error, path)


@settings(TRIED, max_examples=max(5, EXAMPLES // 8))
@given(raster=rasters(), polygons=st.booleans())
@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_scene_is_mapped_or_refused_with_one_clear_error(make_adapted, raster, polygons):
    model = Model(make_adapted())
    with TemporaryDirectory() as folder:
        path, maps = Path(folder) / "scene.tif", Path(folder) / "maps"
        write(path, raster)
        try:
            (written,) = terrashot.map_scene(
                model, path, maps, window=64, overlap=0, norm_side=None, polygons=polygons,
                bands=[1, 1, 1], scale="percentile", picture=False,
            )  # fmt: skip
        except TerrashotError as error:
            said(error, path)
            return
        with rasterio.open(written) as source:
            assert source.shape == (raster["height"], raster["width"])
            ids = source.read(1)
        assert set(np.unique(ids)) <= {0, 1, 2, 3, 4, 255}
        assert not list(maps.glob(".scene*"))


def said(error: TerrashotError, path: Path) -> None:
    """An error is one paragraph that names the file or the setting, and never a bare code."""
    text = str(error)
    assert len(text) > 40
    assert path.name in text or "input." in text or "data." in text
