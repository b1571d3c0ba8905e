"""The connected areas of a class map as polygons, strip by strip, whole where they cross strips."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from terrashot.mapping.postprocess.components import label_areas

Area = tuple[Any, int]
"""A polygon in pixels (column, row) and its class id."""


def area_polygons(source: Any, height: int = 512) -> Iterator[Area]:  # noqa: ANN401 - rasterio
    """Every area of a class (left, right, upper, lower neighbours) as one polygon.

    Held in memory are one strip and the parts of areas that reach below it.

    Args:
        source: An open raster of class ids, nodata 255.
        height: Of a strip in pixels; does not change the polygons.

    Yields:
        Polygons in no particular order.
    """
    open_parts: list[list[Any]] = []  # of areas that reach the end of the last strip
    open_ids: list[int] = []
    above: np.ndarray | None = None  # their number at each pixel of its last row; -1: none
    last: np.ndarray | None = None  # the class ids there
    for top in range(0, source.height, height):
        rows = min(height, source.height - top)
        ids = source.read(1, window=((top, top + rows), (0, source.width)))
        labels, classes = label_areas(ids)
        parts: list[list[Any]] = [[] for _ in classes]
        place = Affine.translation(0, top)
        for shape, value in rasterio.features.shapes(
            labels, mask=labels >= 0, connectivity=4, transform=place
        ):
            shell, *holes = shape["coordinates"]
            parts[int(value)].append(shapely.Polygon(shell, holes))
        root = np.arange(len(classes))
        if above is not None and last is not None:
            same = (ids[0] == last) & (labels[0] >= 0)
            root = _join(parts, open_parts, labels[0][same], above[same])
        for index, old in zip(open_ids, open_parts, strict=True):
            if old:  # it does not go on here
                yield _whole(old), index
        ends = top + rows == source.height
        reach = np.zeros(len(classes), dtype=bool)
        if not ends:
            bottom = labels[-1][labels[-1] >= 0]
            reach[root[bottom]] = True
        open_parts, open_ids, number = [], [], np.full(len(classes), -1)
        for label in np.flatnonzero(root == np.arange(len(classes))):
            if reach[label]:
                number[label] = len(open_parts)
                open_parts.append(parts[label])
                open_ids.append(int(classes[label]))
            else:
                yield _whole(parts[label]), int(classes[label])
        above = np.append(number[root], -1)[labels[-1]]
        last = ids[-1]


def _join(
    parts: list[list[Any]], open_parts: list[list[Any]], labels: np.ndarray, numbers: np.ndarray
) -> np.ndarray:
    """Put parts of one area under one label of the new strip.

    Args:
        parts: By label; gets the parts from above.
        open_parts: By number; those that go on are emptied.
        labels: Of the strip's first row where it goes on with an area from above, [n].
        numbers: Of those areas, [n].

    Returns:
        The label under which the parts of each label are found.
    """
    root = list(range(len(parts)))

    def find(label: int) -> int:
        while root[label] != label:
            root[label] = root[root[label]]
            label = root[label]
        return label

    pairs = np.unique(np.stack([numbers, labels]), axis=1).T.tolist()
    taken: dict[int, int] = {}
    for number, label in pairs:
        if number not in taken:
            taken[number] = find(label)
            parts[taken[number]] += open_parts[number]
            open_parts[number] = []
            continue
        first, second = find(taken[number]), find(label)
        if first != second:
            root[second] = first
            parts[first] += parts[second]
            parts[second] = []
    return np.array([find(label) for label in range(len(parts))])


def _whole(parts: list[Any]) -> Any:  # noqa: ANN401 - a polygon
    if len(parts) == 1:
        return parts[0]
    # Where strips meet, the union leaves points in the middle of straight edges.
    return shapely.simplify(shapely.union_all(parts), 0)
