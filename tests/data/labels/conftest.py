"""Layers and images that are written for one test."""

import warnings

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning
from tests.fixtures.ground import UTM, grid

from terrashot.data.labels.scenes import inspect_images
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import Taxonomy

SUFFIXES = {
    ".gpkg": "GPKG",
    ".geojson": "GeoJSON",
    ".shp": "ESRI Shapefile",
    ".fgb": "FlatGeobuf",
}


@pytest.fixture
def write_layer(tmp_path):
    def write(shapes, classes, name="labels.gpkg", crs=UTM, attribute="class", **more):
        path = tmp_path / name
        shapes = np.array(shapes, dtype=object)
        kinds = {shape.geom_type for shape in shapes if shape is not None}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="'crs' was not provided")
            pyogrio.raw.write(
                path,
                geometry=np.array(
                    [None if s is None else shapely.to_wkb(s) for s in shapes], object
                ),
                field_data=[np.array(classes, dtype=object)],
                fields=[attribute],
                driver=SUFFIXES[path.suffix],
                geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
                crs=crs,
                **more,
            )
        return path

    return write


@pytest.fixture
def image(tmp_path):
    """An image on the ground, by default 100 x 120 pixels of noise in UTM."""

    def make(name="scene.tif", size=(100, 120), crs=UTM, transform=None, pixels=None, **profile):
        if pixels is None:
            pixels = np.random.default_rng(0).integers(1, 256, (3, *size), dtype=np.uint8)
        place = transform or grid()
        fixed = {"count": 3, "height": pixels.shape[1], "width": pixels.shape[2]}
        where = {} if crs is None else {"crs": crs, "transform": place}
        path = tmp_path / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", dtype="uint8", **fixed, **where, **profile) as target:
                target.write(pixels)
        return inspect_images([path], ImageSpec())[0]

    return make


@pytest.fixture
def taxonomy():
    """Background, tree and road; then the classes that are asked for."""

    def make(*names):
        rows = [{"name": n, "color": f"#00{i:02x}00"} for i, n in enumerate(("bg", "tree", "road"))]
        novel = [{"name": n, "color": f"#{i:02x}0000"} for i, n in enumerate(names, start=1)]
        return Taxonomy.from_dict(
            {"name": "t", "background": rows[0], "base": rows[1:], "novel": novel}
        )

    return make
