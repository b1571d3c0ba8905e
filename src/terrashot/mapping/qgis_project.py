"""One QGIS project for a folder of maps: each scene a group of its map and what lies beside it.

A ``.qgz`` and no layer definition (``.qlr``): it opens with a double click, with reference system
and extent, and can be saved again; a ``.qlr`` needs an open project. It is a zip of one ``.qgs``,
whose elements are those that QGIS 3 writes; paths are relative, so that the folder can be moved.
"""

import hashlib
import math
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import pyogrio
import rasterio
from pyogrio.errors import DataSourceError
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_bounds

from terrashot.errors import DataError, one_line
from terrashot.files import atomic_write
from terrashot.mapping.finish import CONFIDENCE
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.plain_path import plain_path
from terrashot.mapping.polygons import ID_FIELD
from terrashot.mapping.qgis_style import HEAD, VERSION, add_categories, add_palette, add_ramp
from terrashot.taxonomy import LandClass

PROJECT_NAME = "maps.qgz"
_INNER = "maps.qgs"
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of the file in the zip: the same maps make the same bytes."""
_MARGIN = 0.02
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Control signs, and what stands for the bytes of a name that is no text."""

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class SceneFiles:
    """What a scene's group is made of.

    Args:
        class_map: Its map, in the folder of the project.
        files: The names of all that was made of it there.
        image: The scene itself; None: it does not lie on this machine.
    """

    class_map: Path
    files: frozenset[str]
    image: Path | None = None

    def beside(self, end: str) -> Path | None:
        """A file of the scene by the end of its name; None where it was not made."""
        path = self.class_map.with_name(self.class_map.stem + end)
        return path if path.name in self.files and path.is_file() else None


@dataclass(frozen=True)
class _Layer:
    """A layer: title, file, kind, and whether it is shown at first."""

    title: str
    path: Path
    kind: str
    shown: bool
    identity: str


def folder_project(ledger: Ledger) -> Path | None:
    """Write the project of all finished maps of a folder, whole or not at all.

    A project that QGIS has saved since, or that is not terrashot's at all, is left as it is.

    Args:
        ledger: Of the folder.

    Returns:
        The file; None where another one has its name, or where there is no map.

    Raises:
        DataError: a map can't be read, or there is no space left.
    """
    path = ledger.output / PROJECT_NAME
    scenes = [scene for scene in map(_scene, ledger.finished()) if scene is not None]
    if not scenes or (os.path.lexists(path) and not is_own_project(path)):
        return None
    try:
        content = _project(ledger.output, scenes)
        with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.comment = _mark(content)
            archive.writestr(zipfile.ZipInfo(_INNER, _MOMENT), content, zipfile.ZIP_DEFLATED)
    except (OSError, RasterioError, CRSError, DataSourceError) as error:
        raise DataError(
            f"{path} could not be written ({one_line(error)}). The maps are whole; the same "
            "command makes what is missing."
        ) from error
    return path


def is_own_project(path: Path) -> bool:
    """Whether terrashot wrote a project file, and nobody has saved it since.

    It carries a digest of its content, which QGIS does not write.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment == _mark(archive.read(_INNER))
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _mark(content: bytes) -> bytes:
    return b"terrashot " + hashlib.sha256(content).hexdigest().encode()


def _scene(found: tuple[str, dict[str, Any]]) -> SceneFiles | None:
    """What the ledger knows of a map; None where it is gone, or its name can't stand in XML."""
    class_map, note = found
    path, image = Path(class_map), Path(str(note.get("scene", "")))
    if not path.is_file() or not _fit(path.name):
        return None
    there = image.is_file() and _fit(str(image))
    return SceneFiles(path, frozenset(note["files"]), image.resolve() if there else None)


def _fit(text: str) -> bool:
    return not _NO_XML.search(text)


def _project(folder: Path, scenes: Sequence[SceneFiles]) -> bytes:
    root = Element("qgis", projectname="", version=VERSION)
    SubElement(root, "title")
    reference, extent = _reference(scenes)
    if reference is not None:
        _add_crs(SubElement(root, "projectCrs"), reference)
    tree = SubElement(root, "layer-tree-group")
    canvas = SubElement(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
    _add_extent(canvas, extent)
    if reference is not None:
        _add_crs(SubElement(canvas, "destinationsrs"), reference)
    layers = SubElement(root, "projectlayers")
    order = SubElement(root, "layerorder")
    for number, scene in enumerate(scenes):
        group = SubElement(
            tree,
            "layer-tree-group",
            {"name": scene.class_map.stem, "checked": "Qt::Checked", "expanded": "1"},
        )
        with rasterio.open(scene.class_map) as source:
            classes = list(_classes(source))
        for layer in _layers(scene, number):
            source_path = os.path.relpath(layer.path.absolute(), folder.absolute())
            relative = Path(source_path).as_posix()
            relative = relative if relative.startswith("../") else f"./{relative}"
            vector = layer.kind == "polygons"
            SubElement(
                group,
                "layer-tree-layer",
                {
                    "id": layer.identity,
                    "name": layer.title,
                    "source": relative,
                    "providerKey": "ogr" if vector else "gdal",
                    "checked": "Qt::Checked" if layer.shown else "Qt::Unchecked",
                    "expanded": "1" if layer.kind == "classes" else "0",
                },
            )
            SubElement(order, "layer", id=layer.identity)
            _add_layer(layers, layer, relative, classes)
    properties = SubElement(root, "properties")
    SubElement(SubElement(properties, "Paths"), "Absolute", type="bool").text = "false"
    # Without it QGIS does not look at the reference system of the project.
    enabled = str(int(reference is not None))
    system = SubElement(properties, "SpatialRefSys")
    SubElement(system, "ProjectionsEnabled", type="int").text = enabled
    indent(root)
    return (HEAD + tostring(root, encoding="unicode") + "\n").encode()


def _layers(scene: SceneFiles, number: int) -> Iterator[_Layer]:
    """The layers of a scene, the uppermost first."""
    stem = scene.class_map.stem
    found = [
        ("polygons", "polygons", scene.beside("_polygons.gpkg"), False),
        ("confidence", "confidence, %", scene.beside(f"{CONFIDENCE}.tif"), False),
        ("classes", "classes", scene.class_map, True),
        ("image", "image", scene.image, True),
    ]
    for kind, title, path, shown in found:
        if path is not None:
            # QGIS gives a layer another identity where its own has ten signs or fewer.
            yield _Layer(f"{stem}: {title}", path, kind, shown, f"terrashot_{kind}_{number}")


def _add_layer(layers: Element, layer: _Layer, relative: str, classes: Sequence[LandClass]) -> None:
    vector = layer.kind == "polygons"
    kind = {"type": "vector", "geometry": "Polygon"} if vector else {"type": "raster"}
    node = SubElement(layers, "maplayer", kind)
    reference, bounds = (_vector_place if vector else _raster_place)(layer.path)
    _add_extent(node, bounds)
    SubElement(node, "id").text = layer.identity
    SubElement(node, "datasource").text = relative
    SubElement(node, "layername").text = layer.title
    if reference is not None:
        _add_crs(SubElement(node, "srs"), reference)
    SubElement(node, "provider", encoding="UTF-8").text = "ogr" if vector else "gdal"
    if vector and classes:
        add_categories(node, classes, ID_FIELD)
    elif layer.kind == "classes" and classes:
        add_palette(node, classes)
    elif layer.kind == "confidence":
        add_ramp(node)


def _classes(source: Any) -> Iterator[LandClass]:  # noqa: ANN401 - rasterio has no types
    """The classes of a map, as the file itself names and colours them."""
    if source.colorinterp[0] != ColorInterp.palette:
        return
    names, colors = source.tags(), source.colormap(1)
    for index, color in colors.items():
        name = names.get(f"CLASS_{index}")
        if name is not None:
            yield LandClass(index, name, "#{:02x}{:02x}{:02x}".format(*color[:3]))


def _raster_place(path: Path) -> tuple[Any, Bounds]:
    with rasterio.open(path) as source:
        return source.crs, tuple(source.bounds)


def _vector_place(path: Path) -> tuple[Any, Bounds | None]:
    with plain_path(path) as plain:
        info = pyogrio.read_info(plain, force_total_bounds=True)
    reference = info["crs"]
    return reference and rasterio.CRS.from_user_input(reference), info["total_bounds"]


def _reference(scenes: Iterable[SceneFiles]) -> tuple[Any, Bounds | None]:
    """The reference system of the first map that has one, and what all maps cover in it."""
    places = [_raster_place(scene.class_map) for scene in scenes]
    reference = next((crs for crs, _ in places if crs), None)
    boxes = [box for box in (_box(place, reference) for place in places) if box is not None]
    if not boxes:
        return reference, None
    left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
    wide, high = _MARGIN * (right - left), _MARGIN * (top - bottom)
    return reference, (left - wide, bottom - high, right + wide, top + high)


def _box(place: tuple[Any, Bounds], reference: Any) -> Bounds | None:  # noqa: ANN401 - as above
    """What a map covers in another reference system; None where that can't be said."""
    own, bounds = place
    if own == reference:
        return bounds
    if own is None:
        return None
    try:
        found: Bounds = transform_bounds(own, reference, *bounds)
    except (RasterioError, CRSError):
        return None
    return found if all(map(math.isfinite, found)) else None


def _add_crs(parent: Element, reference: Any) -> None:  # noqa: ANN401 - rasterio has no types
    node = SubElement(parent, "spatialrefsys")
    SubElement(node, "wkt").text = reference.to_wkt()
    code = reference.to_epsg()
    if code is not None:
        SubElement(node, "authid").text = f"EPSG:{code}"


def _add_extent(parent: Element, bounds: Bounds | None) -> None:
    if bounds is None:
        return
    node = SubElement(parent, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True):
        SubElement(node, name).text = repr(float(value))
