"""What a customer gets beside a class map: style for QGIS, areas, polygons."""

from dataclasses import dataclass
from pathlib import Path

from pyogrio.errors import DataSourceError, FeatureError
from rasterio.errors import RasterioError

from terrashot.errors import DataError
from terrashot.mapping.areas import write_areas
from terrashot.mapping.polygons import ID_FIELD, read_minimum, write_polygons
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

    Raises:
        DataError: there is no space left, or the folder can't be written to.
    """
    style, areas, layer = _paths(class_map, stem)
    files = []
    try:
        if options.style:
            files.append(write_raster_style(style, taxonomy))
        if options.areas:
            files.append(write_areas(class_map, areas, taxonomy))
        if options.polygons:
            unit = options.minimum_mapping_unit
            files.append(write_polygons(class_map, layer, taxonomy, unit))
            files.append(write_polygon_style(layer.with_suffix(".qml"), taxonomy, ID_FIELD))
    except (OSError, RasterioError, DataSourceError, FeatureError) as error:
        raise DataError(
            f"{stem.parent}: the files beside {class_map.name} could not be written "
            f"({' '.join(str(error).split())}). Make space in the folder, or give another one; the "
            "same command then makes what is missing."
        ) from error
    return files


def product_files(class_map: Path, stem: Path, options: ProductOptions) -> list[Path]:
    """The files that ``write_products`` writes."""
    style, areas, layer = _paths(class_map, stem)
    files = [style] if options.style else []
    files += [areas] if options.areas else []
    return files + ([layer, layer.with_suffix(".qml")] if options.polygons else [])


def is_complete(class_map: Path, stem: Path, options: ProductOptions) -> bool:
    """Whether all products are there, the polygons with this minimum mapping unit."""
    style, areas, layer = _paths(class_map, stem)
    wanted = {style: options.style, areas: options.areas, layer: options.polygons}
    if not all(path.is_file() for path, asked in wanted.items() if asked):
        return False
    return not options.polygons or read_minimum(layer) == options.minimum_mapping_unit


def _paths(class_map: Path, stem: Path) -> tuple[Path, Path, Path]:
    """Style, areas and polygons."""
    areas, layer = (stem.with_name(stem.name + end) for end in ("_areas.csv", "_polygons.gpkg"))
    return class_map.with_suffix(".qml"), areas, layer
