"""A QGIS style file beside a raster or layer: QGIS reads it when the file is opened.

The elements are those that QGIS 3 writes for a paletted raster and for categorised polygons.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from terrashot.files import atomic_write
from terrashot.taxonomy import Taxonomy

_HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION = "3.22"


def write_raster_style(path: Path, taxonomy: Taxonomy) -> Path:
    """Write the style of a class map: a paletted renderer with class names and colours.

    Args:
        path: The raster's path with the suffix ``.qml``.
        taxonomy: The classes.

    Returns:
        ``path``.
    """
    root = Element("qgis", version=_VERSION, styleCategories="AllStyleCategories")
    pipe = SubElement(root, "pipe")
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
    for land in taxonomy.classes:
        SubElement(
            palette,
            "paletteEntry",
            value=str(land.index),
            label=land.name,
            color=land.color,
            alpha="255",
        )
    SubElement(pipe, "rasterresampler", maxOversampling="2")
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
    root = Element("qgis", version=_VERSION, styleCategories="Symbology")
    renderer = SubElement(
        root,
        "renderer-v2",
        type="categorizedSymbol",
        attr=field,
        symbollevels="0",
        enableorderby="0",
        forceraster="0",
    )
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for number, land in enumerate(taxonomy.classes):
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
    SubElement(root, "blendMode").text = "0"
    SubElement(root, "layerGeometryType").text = "2"
    return _write(path, root)


def _write(path: Path, root: Element) -> Path:
    indent(root)
    text = _HEAD + tostring(root, encoding="unicode") + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
