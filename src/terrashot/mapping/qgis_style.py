"""A QGIS style file beside a raster or layer: QGIS reads it when the file is opened.

The elements are those that QGIS 3 writes for a paletted raster and for categorised polygons.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from terrashot.files import atomic_write
from terrashot.taxonomy import LandClass, Taxonomy

HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
VERSION = "3.22"
_RAMP = {0: "#d7191c", 50: "#ffffbf", 100: "#1a9641"}


def write_raster_style(path: Path, taxonomy: Taxonomy) -> Path:
    """Write the style of a class map: a paletted renderer with class names and colours.

    Args:
        path: The raster's path with the suffix ``.qml``.
        taxonomy: The classes.

    Returns:
        ``path``.
    """
    root = Element("qgis", version=VERSION, styleCategories="AllStyleCategories")
    add_palette(root, taxonomy.classes)
    SubElement(root, "blendMode").text = "0"
    return _write(path, root)


def write_polygon_style(path: Path, taxonomy: Taxonomy, field: str) -> Path:
    """Write the style of a polygon layer: a fill a class, by the integer ``field``.

    Args:
        path: The layer's path with the suffix ``.qml``.
        taxonomy: The classes.
        field: Holds class ids.

    Returns:
        ``path``.
    """
    root = Element("qgis", version=VERSION, styleCategories="Symbology")
    add_categories(root, taxonomy.classes, field)
    SubElement(root, "blendMode").text = "0"
    SubElement(root, "layerGeometryType").text = "2"
    return _write(path, root)


def add_palette(parent: Element, classes: Sequence[LandClass]) -> None:
    """Add a paletted renderer of band 1 with names and colours."""
    pipe = SubElement(parent, "pipe")
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="paletted",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    SubElement(renderer, "rasterTransparency")
    palette = SubElement(renderer, "colorPalette")
    for land in classes:
        SubElement(
            palette,
            "paletteEntry",
            value=str(land.index),
            label=land.name,
            color=land.color,
            alpha="255",
        )
    SubElement(pipe, "rasterresampler", maxOversampling="2")


def add_ramp(parent: Element) -> None:
    """Add a renderer of band 1 as percentages, from red over yellow to green."""
    pipe = SubElement(parent, "pipe")
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
        classificationMin="0",
        classificationMax="100",
    )
    SubElement(renderer, "rasterTransparency")
    ramp = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        minimumValue="0",
        maximumValue="100",
        classificationMode="1",
        clip="0",
    )
    for value, color in _RAMP.items():
        SubElement(ramp, "item", value=str(value), label=f"{value} %", color=color, alpha="255")
    SubElement(pipe, "rasterresampler", maxOversampling="2")


def add_categories(parent: Element, classes: Sequence[LandClass], field: str) -> None:
    """Add a renderer of polygons: a fill a class, by the integer ``field``."""
    renderer = SubElement(
        parent,
        "renderer-v2",
        type="categorizedSymbol",
        attr=field,
        symbollevels="0",
        enableorderby="0",
        forceraster="0",
    )
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for number, land in enumerate(classes):
        SubElement(
            categories,
            "category",
            render="true",
            symbol=str(number),
            value=str(land.index),
            label=land.name,
            type="long",
        )
        symbol = SubElement(
            symbols, "symbol", type="fill", name=str(number), alpha="1", clip_to_extent="1"
        )
        layer = SubElement(
            symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"}
        )
        options = SubElement(layer, "Option", type="Map")
        colors = {"color": land.rgb, "outline_color": (60, 60, 60)}
        values = {k: ",".join(str(part) for part in (*rgb, 255)) for k, rgb in colors.items()}
        values |= {"style": "solid", "outline_style": "solid", "outline_width": "0.1"}
        for name, value in values.items():
            SubElement(options, "Option", type="QString", name=name, value=value)


def _write(path: Path, root: Element) -> Path:
    indent(root)
    text = HEAD + tostring(root, encoding="unicode") + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
