"""What a customer gets beside a class map: style for QGIS, areas, polygons."""

from dataclasses import dataclass
from pathlib import Path

from terrashot.mapping.areas import write_areas
from terrashot.mapping.polygons import ID_FIELD, write_polygons
from terrashot.mapping.qgis_style import write_polygon_style, write_raster_style
from terrashot.taxonomy import Taxonomy


@dataclass(frozen=True)
class ProductOptions:
    """Which products are made.

    Args:
        style: A QGIS style file beside the map.
        areas: The area of each class as CSV.
        polygons: A GeoPackage layer with its style file.
        minimum_mapping_unit: Smaller areas are no polygons of their own: square metres in a
            projected reference system, otherwise pixels; None: all are.
    """

    style: bool = True
    areas: bool = True
    polygons: bool = False
    minimum_mapping_unit: float | None = None


def write_products(
    class_map: Path, stem: Path, taxonomy: Taxonomy, options: ProductOptions
) -> list[Path]:
    """Write the products of a finished class map (uint8 GeoTIFF, nodata 255).

    Args:
        class_map: The map.
        stem: Folder and first part of the names of areas and polygons; the style has the name of
            the map, since QGIS looks for it there.
        taxonomy: Its classes.
        options: What is made.

    Returns:
        The files, each whole.
    """
    files = []
    if options.style:
        files.append(write_raster_style(class_map.with_suffix(".qml"), taxonomy))
    if options.areas:
        files.append(write_areas(class_map, stem.with_name(f"{stem.name}_areas.csv"), taxonomy))
    if options.polygons:
        layer = stem.with_name(f"{stem.name}_polygons.gpkg")
        unit = options.minimum_mapping_unit
        files.append(write_polygons(class_map, layer, taxonomy, unit))
        files.append(write_polygon_style(layer.with_suffix(".qml"), taxonomy, ID_FIELD))
    return files
