"""How good a map is: the map, the strata and the reference read, and the figures made of them."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from terrashot.assessment.clusters import cluster_accuracy, counted_accuracy
from terrashot.assessment.estimates import Accuracy
from terrashot.assessment.stratified import stratified_accuracy
from terrashot.assessment.summary import MapAssessment
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.quality.amounts import Amounts, measure
from terrashot.mapping.quality.census import compare
from terrashot.mapping.quality.class_raster import ClassRaster, open_classes
from terrashot.mapping.quality.drawn import Drawn, read_drawn
from terrashot.mapping.quality.points import classes_at
from terrashot.mapping.quality.polygons import ground_of
from terrashot.mapping.quality.remarks import flawless, single, without_reference
from terrashot.ranges import check_range

_RASTERS = (".tif", ".tiff", ".vrt", ".png", ".jpg", ".jpeg", ".img", ".jp2")

_POINTS = (
    "The points are taken for a random sample within each {stratum}, drawn evenly over its ground "
    "and without regard to what is there; each speaks for the pixel that it lies in. Weights are "
    "the areas of the {strata}. Estimators: Olofsson et al. 2014, Stehman 2014."
)
_POLYGONS = (
    "The polygons are taken for places laid at random, so that what they show of a class of the "
    "map stands for all of that class; each polygon is one observation, however many pixels it "
    "has, and is of its class as a whole. Weights are the areas of the classes on the map. Where "
    "polygons were drawn because their class was easy to see, the map looks better than it is."
)
_PIXELS = (
    "Every pixel with a class in both rasters was compared. Nothing is estimated from a sample, so "
    "there are no intervals. "
)


@dataclass(frozen=True)
class AssessOptions:
    """How a map is assessed.

    Args:
        attribute: The column of a layer that names the class.
        layer: The layer, where a file has several.
        strata: The map that the points were drawn from; None: the map itself.
        leave_out: Classes of the map that are no part of it, by name or number.
        confidence: Of the intervals, a share.
    """

    attribute: str = "class"
    layer: str | None = None
    strata: Path | None = None
    leave_out: tuple[str, ...] = ()
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("confidence", self.confidence, above=0, below=1)


def assess_map(path: Path, reference: Path, options: AssessOptions) -> MapAssessment:
    """Hold a class map against a reference.

    Args:
        path: The map: one band of class ids.
        reference: Points or polygons with a class, or a raster of class ids.
        options: See ``AssessOptions``.

    Raises:
        ConfigError: strata for what is not a sample of points.
        DataError: a file that can't be used, or a class of the map without a reference.
    """
    if not reference.exists():
        raise DataError(
            f"reference={reference} does not exist. Give a layer of points or polygons with a "
            "class, or a raster of class ids."
        )
    with ExitStack() as stack:
        raster = stack.enter_context(open_classes(path, "map"))
        left_out = raster.legend.left_out(options.leave_out)
        if _is_raster(reference):
            if options.strata is not None:
                raise ConfigError(
                    f"strata={options.strata} goes with points, but reference={reference} is a "
                    "raster, in which every pixel is known. Leave it out."
                )
            given = stack.enter_context(open_classes(reference, "reference"))
            truth = stack.enter_context(given.on_grid_of(raster))
            return _counted(raster, truth, given, left_out, options)
        drawn = read_drawn(reference, options.attribute, options.layer, raster)
        strata = raster
        if options.strata is not None:
            if drawn.kind == "polygons":
                raise ConfigError(
                    f"strata={options.strata} goes with points, but reference={reference} holds "
                    "polygons, which are weighed by the classes of the map. Leave it out."
                )
            strata = stack.enter_context(open_classes(options.strata, "strata"))
            if not strata.same_grid(raster):
                raise DataError(
                    f"strata={options.strata} lies on another grid than map={path}. Give the map "
                    "that the points were drawn from on the grid of the one that is assessed "
                    "(`gdalwarp -r near -te ... -ts ...`)."
                )
        amounts, of_strata = measure(raster, strata, left_out)
        if drawn.kind == "points":
            return _of_points(drawn, raster, strata, amounts, of_strata, left_out, options)
        return _of_polygons(drawn, raster, amounts, left_out, options)


def _of_points(
    drawn: Drawn,
    raster: ClassRaster,
    strata: ClassRaster,
    amounts: Amounts,
    of_strata: Amounts,
    left_out: Collection[int],
    options: AssessOptions,
) -> MapAssessment:
    ids, reference = _classes(drawn, raster, amounts)
    chosen, mapped, stratum, notes = classes_at(drawn, raster, strata, left_out)
    # Where the strata are the classes of the map, classes of the reference alone have no stratum.
    own = strata is raster
    rows = ids if own else of_strata.ids
    counts = np.zeros((len(rows), len(ids), len(ids)))
    places = (np.searchsorted(rows, stratum), np.searchsorted(ids, mapped), reference[chosen])
    np.add.at(counts, places, 1)
    areas, population = (
        _spread(v, of_strata.ids, rows) for v in (of_strata.areas, of_strata.pixels)
    )
    units = counts.sum(axis=(1, 2))
    missing = rows[(units == 0) & (areas > 0)]
    if len(missing):
        raise without_reference([strata.legend.name_of(i) for i in missing.tolist()], own)
    notes += single(rows[(units == 1) & (population > 1)], strata.legend)
    accuracy = stratified_accuracy(counts, areas, population)
    notes += flawless(counts, rows, strata.legend)
    name = "class of the map" if own else f"class of {strata.path.name}"
    text = _POINTS.format(stratum=name, strata="classes of the map" if own else "strata")
    return _summary(
        raster,
        ids,
        accuracy,
        counts.sum(axis=0),
        len(chosen),
        "points",
        amounts,
        options,
        text,
        [*drawn.notes, *notes],
    )


def _of_polygons(
    drawn: Drawn,
    raster: ClassRaster,
    amounts: Amounts,
    left_out: Collection[int],
    options: AssessOptions,
) -> MapAssessment:
    ids, reference = _classes(drawn, raster, amounts)
    ground, notes = ground_of(drawn, reference, raster, ids, left_out)
    areas = _spread(amounts.areas, amounts.ids, ids)
    shown = (ground.sum(axis=2) > 0).sum(axis=0)
    missing = ids[(shown == 0) & (areas > 0)]
    if len(missing):
        raise without_reference([raster.legend.name_of(i) for i in missing.tolist()], True)
    few = ids[(shown == 1) & (areas > 0)]
    if len(few):
        notes.append(
            f"{', '.join(raster.legend.name_of(i) for i in few.tolist())}: shown by a single "
            "polygon, from which no error of its own can be had; the other errors are too small"
        )
    counts = (ground > 0).sum(axis=0)
    accuracy = cluster_accuracy(ground, areas)
    return _summary(
        raster,
        ids,
        accuracy,
        counts,
        len(ground),
        "polygons",
        amounts,
        options,
        _POLYGONS,
        [*drawn.notes, *notes],
    )


def _counted(
    raster: ClassRaster,
    truth: ClassRaster,
    given: ClassRaster,
    left_out: Collection[int],
    options: AssessOptions,
) -> MapAssessment:
    whole, _ = measure(raster, raster, left_out)
    ids, ground, pixels = compare(raster, truth, left_out)
    share = float(ground.sum() / whole.areas.sum())
    rest = (
        "That is all of the map."
        if pixels.sum() == whole.pixels.sum()
        else f"That is {100 * share:.2f} % of the map, and the figures say nothing of the rest."
    )
    notes = []
    if truth is not given:
        notes.append(f"{given.path.name} was brought to the grid of the map, nearest pixel")
    mapped = Amounts(ids, pixels.sum(axis=1), ground.sum(axis=1))
    accuracy = counted_accuracy(ground)
    return _summary(
        raster,
        ids,
        accuracy,
        pixels,
        int(pixels.sum()),
        "pixels",
        mapped,
        options,
        _PIXELS + rest,
        notes,
    )


def _classes(drawn: Drawn, raster: ClassRaster, amounts: Amounts) -> tuple[np.ndarray, np.ndarray]:
    """Classes of map and reference [K], sorted; and that of each object, as a place there [n]."""
    words = raster.legend.ids_of(
        sorted(set(drawn.words.tolist())), amounts.ids.tolist(), "reference"
    )
    ids = np.unique(np.concatenate([amounts.ids, list(words.values())])).astype(np.int64)
    return ids, np.searchsorted(ids, [words[word] for word in drawn.words.tolist()])


def _summary(
    raster: ClassRaster,
    ids: np.ndarray,
    accuracy: Accuracy,
    counts: np.ndarray,
    total: int,
    looked_at: Literal["points", "polygons", "pixels"],
    amounts: Amounts,
    options: AssessOptions,
    assumption: str,
    notes: Sequence[str],
) -> MapAssessment:
    known = raster.ground.known
    return MapAssessment(
        names=tuple(raster.legend.name_of(i) for i in ids.tolist()),
        colors=tuple(raster.legend.colors.get(i) for i in ids.tolist()),
        accuracy=accuracy,
        counts=counts.astype(np.int64),
        total=total,
        looked_at=looked_at,
        mapped=_spread(amounts.areas, amounts.ids, ids) / (1e4 if known else 1),
        unit="ha" if known else "pixels",
        confidence=options.confidence,
        assumption=assumption,
        notes=tuple(notes),
    )


def _spread(values: np.ndarray, ids: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Values of some classes in a row of all, 0 elsewhere."""
    found = np.zeros(len(every))
    found[np.searchsorted(every, ids)] = values
    return found


def _is_raster(path: Path) -> bool:
    """By its name, else by what GDAL makes of it."""
    if path.suffix.lower() in _RASTERS:
        return True
    try:
        with rasterio.open(path):
            return True
    except RasterioError:
        return False
