"""A stratified sample of a map as a layer of points to be labelled."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyogrio
import shapely
from affine import Affine
from pyogrio.errors import DataSourceError, FeatureError

from terrashot.assessment.allocation import ALLOCATIONS, allocate, sample_size
from terrashot.data.labels.layer import ATTRIBUTE
from terrashot.errors import ConfigError, DataError
from terrashot.files import atomic_write
from terrashot.mapping.plain_path import plain_path
from terrashot.mapping.quality.amounts import Amounts, measure
from terrashot.mapping.quality.class_raster import ClassRaster, open_classes
from terrashot.mapping.quality.draw import draw_pixels
from terrashot.mapping.quality.drawn import STRATUM_FIELD
from terrashot.ranges import check_range

NUMBER_FIELD = "number"


@dataclass(frozen=True)
class SampleOptions:
    """How a sample is drawn.

    Args:
        units: Its size; None: from ``standard_error``.
        standard_error: Of the overall accuracy, a share; None: from ``units``.
        expected: User's accuracy that is expected, for a size from a standard error.
        expected_of: The same of single classes, by name or number.
        allocation: One of ``ALLOCATIONS``.
        minimum: Points that a rare class has in a compromise.
        leave_out: Classes of the map that are no part of it, by name or number.
        seed: Of the draw.
    """

    units: int | None = None
    standard_error: float | None = None
    expected: float = 0.8
    expected_of: Mapping[str, float] = field(default_factory=dict)
    allocation: str = "compromise"
    minimum: int = 50
    leave_out: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Check ranges, and that there is one size."""
        if (self.units is None) == (self.standard_error is None):
            raise ConfigError(
                "a sample needs its size: give n=640, or standard_error=0.01 for as many points as "
                "an overall accuracy with this standard error needs, and not both."
            )
        if self.units is not None:
            check_range("n", self.units, whole=True, at_least=1)
        if self.standard_error is not None:
            check_range("standard_error", self.standard_error, above=0, below=0.5)
        for word, value in {"": self.expected, **self.expected_of}.items():
            check_range(f"expected {word}".strip(), value, at_least=0, at_most=1)
        check_range("minimum", self.minimum, whole=True, at_least=2)
        check_range("seed", self.seed, whole=True, at_least=0)
        if self.allocation not in ALLOCATIONS:
            raise ConfigError(
                f"allocation is {self.allocation}, but it must be one of {', '.join(ALLOCATIONS)}."
            )


@dataclass(frozen=True)
class DrawnSample:
    """What was drawn.

    Args:
        path: The layer.
        names: Of the strata [H].
        shares: Of the area [H].
        units: Points [H].
    """

    path: Path
    names: list[str]
    shares: np.ndarray
    units: np.ndarray


def write_sample(map_path: Path, output: Path, options: SampleOptions) -> DrawnSample:
    """Draw points within each class of a map and write them, without a class, as a GeoPackage.

    The layer ``points`` has the columns ``number``, ``class``, which a person fills in, and
    ``stratum_id``, the number of the class of the map: by it ``assess`` sees that the sample is
    one of its map. The name of that class is left out, since whoever labels should not be swayed,
    and points are in random order.

    Raises:
        ConfigError: the output is there already or no ``.gpkg``; sizes that do not go together.
        DataError: the map can't be read, or the layer not be written.
    """
    if output.suffix.lower() != ".gpkg":
        raise ConfigError(f"output={output} is no GeoPackage. Name a file that ends in .gpkg.")
    if output.exists():
        raise ConfigError(
            f"output={output} is there already, perhaps with labels in it, and is left as it is. "
            "Name another file, or move it away."
        )
    with open_classes(map_path, "map") as raster:
        left_out = raster.legend.left_out(options.leave_out)
        amounts, _ = measure(raster, raster, left_out)
        wanted = options.units or _size(raster, amounts, options)
        units = allocate(options.allocation, wanted, amounts.areas, amounts.pixels, options.minimum)
        rows, columns, ids = draw_pixels(raster, amounts, units, options.seed)
        points = _points(raster, rows, columns)
        drawn = DrawnSample(
            output,
            [raster.legend.name_of(i) for i in amounts.ids.tolist()],
            amounts.weights,
            units,
        )
        design = {
            "map": map_path.name,
            "allocation": options.allocation,
            "seed": str(options.seed),
            "points": " ".join(f"{i}:{n}" for i, n in zip(amounts.ids, units, strict=True)),
        }
        _write(output, points, ids, raster.crs, design)
    return drawn


def _size(raster: ClassRaster, amounts: Amounts, options: SampleOptions) -> int:
    known = amounts.ids.tolist()
    words = raster.legend.ids_of(options.expected_of, known, "expected")
    given = {words[word]: value for word, value in options.expected_of.items()}
    expected = np.array([given.get(index, options.expected) for index in known])
    assert options.standard_error is not None
    found = sample_size(amounts.weights, expected, options.standard_error)
    least = options.minimum if options.allocation == "compromise" else 2
    # What the least that each class has adds up to is drawn anyway.
    return max(found, int(np.minimum(amounts.pixels, least).sum()))


def _points(raster: ClassRaster, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The middles of pixels in the coordinates of the map."""
    place = raster.source.transform
    if raster.crs is None and place.is_identity:
        place = Affine(1, 0, 0, 0, -1, 0)  # where QGIS shows such a map
    x, y = place @ (columns + 0.5, rows + 0.5)
    return shapely.points(x, y)


def _write(
    output: Path, points: np.ndarray, ids: np.ndarray, crs: str | None, design: dict[str, str]
) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=output.parent, prefix=".points.") as folder:
            layer = Path(folder) / "points.gpkg"
            with plain_path(layer) as plain, warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="'crs' was not provided")
                pyogrio.raw.write(
                    plain,
                    geometry=shapely.to_wkb(points),
                    field_data=[
                        np.arange(1, len(ids) + 1, dtype=np.int32),
                        np.full(len(ids), None, dtype=object),
                        ids.astype(np.int32),
                    ],
                    fields=[NUMBER_FIELD, ATTRIBUTE, STRATUM_FIELD],
                    layer="points",
                    driver="GPKG",
                    geometry_type="Point",
                    crs=crs,
                    layer_metadata=design,
                )
            with atomic_write(output) as temporary:
                layer.replace(temporary)
    except (OSError, DataSourceError, FeatureError) as error:
        raise DataError(
            f"output={output} could not be written ({' '.join(str(error).split())}). Make space, "
            "or name a file in another folder."
        ) from error
