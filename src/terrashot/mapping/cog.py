"""Cloud-optimised GeoTIFFs from finished rows."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import rasterio
import rasterio.shutil
from rasterio.errors import RasterioError

from terrashot.data.raster import reason
from terrashot.errors import DataError
from terrashot.files import atomic_write
from terrashot.full_disk import is_full, room
from terrashot.mapping.postprocess.block_map import NODATA
from terrashot.mapping.rows import RowStore
from terrashot.mapping.scene import Scene
from terrashot.taxonomy import Taxonomy
from terrashot.threads import available_cores

SIDECAR = ".aux.xml"


def raster_files(path: Path) -> list[Path]:
    """The file that ``write_cog`` writes, and the one beside it that it writes or removes."""
    return [path, path.with_name(path.name + SIDECAR)]


@dataclass(frozen=True)
class Raster:
    """One file of a map.

    Args:
        bands: numbers of the bands in the row files, counted from 1.
        names: a name for each.
        tags: metadata of the file.
        classes: pixels are ids of these classes; None: they are percentages.
        unit: of the values.
    """

    bands: Sequence[int]
    names: Sequence[str]
    tags: dict[str, str] = field(default_factory=dict)
    classes: Taxonomy | None = None
    unit: str = ""


def write_cog(
    path: Path,
    raster: Raster,
    store: RowStore,
    scene: Scene,
    mend: Callable[[Path, Path], None] | None = None,
) -> list[Path]:
    """Write one raster of a finished scene, with overviews, georeference, palette and names.

    The rows are shown as one picture by a VRT, which GDAL copies: nothing is held in memory.

    Args:
        path: the file.
        raster: what it holds.
        store: the rows.
        scene: the scene.
        mend: writes the raster of a path anew to another one, before it is copied; None: not.

    Returns:
        The file, and beside it the one of the class names, which a TIFF has no place for.

    Raises:
        DataError: there is no space left, or the file is not whole for another reason.
    """
    virtual = store.folder / f"{path.stem}.vrt"
    parts = [(store.path(r), *store.plan.rows.finished(r)) for r in range(len(store.plan.rows))]
    virtual.write_bytes(_vrt(raster, parts, scene))
    classes = raster.classes is not None
    try:
        if mend is not None:
            mended = store.folder / f"{path.stem}_mended.tif"
            mend(virtual, mended)
            virtual.write_bytes(_vrt(raster, [(mended, 0, scene.height)], scene))
        with _atomic_raster(path) as (temporary, made):
            # The file's own suffix, so that GDAL's name for the sidecar follows it.
            rasterio.shutil.copy(
                virtual,
                temporary,
                driver="COG",
                compress="deflate",
                blocksize=512,
                overview_resampling="mode" if classes else "average",
                num_threads=available_cores(),
                bigtiff="if_safer",
            )
            _check_whole(temporary)
            _, sidecar = raster_files(path)
            if not made.is_file():
                sidecar.unlink(missing_ok=True)
                files = [path]
            else:
                made.replace(sidecar)
                files = [path, sidecar]
    except (RasterioError, OSError) as error:
        full = is_full(error) or shutil.disk_usage(path.parent).free < 2**20
        what = f"there is no space left ({room(path)})" if full else reason(error)
        raise DataError(
            f"{path} could not be written: {what}. The finished rows are kept in {store.folder}; "
            "the same command goes on with them."
        ) from error
    finally:
        virtual.unlink(missing_ok=True)
    return files


@contextmanager
def _atomic_raster(path: Path) -> Iterator[tuple[Path, Path]]:
    """``atomic_write``, and where GDAL writes the file beside it; neither is left by an error."""
    with atomic_write(path) as temporary:
        made = temporary.with_name(temporary.name + SIDECAR)
        try:
            yield temporary, made
        finally:
            made.unlink(missing_ok=True)


def _check_whole(path: Path) -> None:
    """Read every block: a full disk can leave a file that is cut off, without an error."""
    with rasterio.open(path) as written:
        for _, window in written.block_windows(1):
            written.read(window=window)


def _vrt(raster: Raster, parts: Sequence[tuple[Path, int, int]], scene: Scene) -> bytes:
    """One picture of several files in its folder: each with its first row and the row after it."""
    root = Element("VRTDataset", rasterXSize=str(scene.width), rasterYSize=str(scene.height))
    if scene.crs is not None:
        SubElement(root, "SRS").text = scene.crs
    a, b, c, d, e, f = scene.transform
    if (a, b, c, d, e, f) != (1.0, 0.0, 0.0, 0.0, 1.0, 0.0):
        numbers = (c, a, b, f, d, e)
        SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in numbers)
    metadata = SubElement(root, "Metadata")
    for key, value in raster.tags.items():
        SubElement(metadata, "MDI", key=key).text = value
    for number, (band, name) in enumerate(zip(raster.bands, raster.names, strict=True), start=1):
        node = SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        SubElement(node, "Description").text = name
        SubElement(node, "NoDataValue").text = str(NODATA)
        if raster.unit:
            SubElement(node, "UnitType").text = raster.unit
        SubElement(node, "ColorInterp").text = "Palette" if raster.classes else "Gray"
        if raster.classes is not None:
            _add_classes(node, raster.classes)
        for path, top, bottom in parts:
            _add_source(node, band, path.name, (top, bottom), scene.width)
    return tostring(root, encoding="utf-8")


def _add_classes(node: Element, taxonomy: Taxonomy) -> None:
    names = SubElement(node, "CategoryNames")
    for land in taxonomy.classes:
        SubElement(names, "Category").text = land.name
    table = SubElement(node, "ColorTable")
    for index, (red, green, blue) in enumerate(taxonomy.palette().tolist()):
        alpha = 0 if index == NODATA else 255
        SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4=str(alpha))


def _add_source(node: Element, band: int, name: str, rows: tuple[int, int], width: int) -> None:
    source = SubElement(node, "SimpleSource")
    SubElement(source, "SourceFilename", relativeToVRT="1").text = name
    SubElement(source, "SourceBand").text = str(band)
    size = {"xSize": str(width), "ySize": str(rows[1] - rows[0])}
    SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    SubElement(source, "DstRect", {"xOff": "0", "yOff": str(rows[0]), **size})
