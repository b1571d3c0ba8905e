"""A class map as polygons in a GeoPackage."""

import itertools
import math
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from terrashot.files import atomic_write
from terrashot.mapping.ground import Ground
from terrashot.mapping.plain_path import plain_path
from terrashot.mapping.polygon_stream import area_polygons
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.minimum_size import MinimumSize
from terrashot.mapping.postprocess.scene import mended_scene
from terrashot.taxonomy import Taxonomy

ID_FIELD = "class_id"
_MINIMUM = "minimum_mapping_unit"
_BATCH = 20_000


def write_polygons(
    class_map: Path, path: Path, taxonomy: Taxonomy, minimum: float | None = None
) -> Path:
    """Write one polygon for each connected area of a class, however large.

    The layer ``classes`` has the fields ``class_id``, ``class``, ``pixels`` and ``area_m2`` (null
    where the reference system says nothing of areas; see ``Ground``). Without a reference system
    coordinates are pixels, y upwards from 0 at the top edge to minus the height, which is where
    QGIS shows such a raster.

    Args:
        class_map: uint8, nodata 255.
        path: ``.gpkg``.
        taxonomy: The classes.
        minimum: The minimum mapping unit: smaller areas go to the class around them. In square
            metres in a projected reference system, otherwise in pixels.

    Returns:
        ``path``.
    """
    with TemporaryDirectory(dir=path.parent, prefix=".polygons.") as folder:
        with rasterio.open(class_map) as source:
            ground = Ground.of(source.crs, source.transform, source.shape)
        pixels = 0 if not minimum else math.ceil(minimum / (ground.pixel or 1.0) - 1e-9)
        if pixels > 1:
            mended = Path(folder) / "mended.tif"
            mended_scene(class_map, mended, PostProcess({"size": MinimumSize(pixels)}), taxonomy)
            class_map = mended
        layer = Path(folder) / "classes.gpkg"
        with plain_path(layer) as plain:
            _write(class_map, plain, taxonomy, ground, {_MINIMUM: str(minimum or "")})
        with atomic_write(path) as temporary:
            layer.replace(temporary)
    return path


def read_minimum(path: Path) -> float | None:
    """The minimum mapping unit that a layer was made with."""
    with plain_path(path) as plain:
        value = (pyogrio.read_info(plain)["layer_metadata"] or {}).get(_MINIMUM)
    return float(value) if value else None


def _write(
    class_map: Path, path: Path, taxonomy: Taxonomy, ground: Ground, metadata: dict[str, str]
) -> None:
    names = np.array(taxonomy.names, dtype=object)
    with warnings.catch_warnings(), rasterio.Env(OGR_SQLITE_SYNCHRONOUS="OFF"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        with rasterio.open(class_map) as source:
            crs = None if source.crs is None else source.crs.to_wkt()
            shapes = area_polygons(source)
            place = source.transform
            if crs is None and place.is_identity:
                place = Affine(1, 0, 0, 0, -1, 0)
            append = False
            while True:
                batch = list(itertools.islice(shapes, _BATCH))
                if append and not batch:
                    return
                ids = np.array([index for _, index in batch], dtype=np.int32)
                polygons = np.array([shape for shape, _ in batch], dtype=object)
                pixels = shapely.area(polygons)
                polygons = shapely.transform(polygons, lambda points: _placed(points, place))
                areas = ground.shapes(polygons)
                area = np.full(len(ids), np.nan) if areas is None else areas
                pyogrio.raw.write(
                    path,
                    geometry=shapely.to_wkb(polygons),
                    field_data=[ids, names[ids], np.rint(pixels).astype(np.int64), area],
                    fields=[ID_FIELD, "class", "pixels", "area_m2"],
                    layer="classes",
                    driver="GPKG",
                    geometry_type="Polygon",
                    crs=crs,
                    append=append,
                    layer_metadata=None if append else metadata,
                )
                append = True


def _placed(points: np.ndarray, place: Affine) -> np.ndarray:
    """Pixels (column, row) [n, 2] as coordinates."""
    return points @ np.array([[place.a, place.d], [place.b, place.e]]) + (place.c, place.f)
