"""A place on earth that can be none is refused where it is read."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from terrashot.data.placement import check_placement
from terrashot.errors import DataError


@pytest.mark.parametrize(
    "transform",
    [
        Affine(1e145, 0, 4e5, 0, -1e145, 5e6),
        Affine(0.5, 0, 1e150, 0, -0.5, 5e6),
        Affine(0.5, 0, 4e5, 0, -0.5, -4e146),
        Affine(1e-9, 0, 4e5, 0, -1e-9, 5e6),  # closer than float64 tells apart
        Affine(1, 1, 0, 1, 1, 0),  # all on one line
    ],
    ids=["endless pixels", "far east", "far south", "too close", "on a line"],
)
def test_a_place_that_can_be_none_is_refused(tmp_path, transform):
    path = tmp_path / "scene.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=86, count=1, dtype="uint8",
        crs="EPSG:32640", transform=transform,
    ) as file:  # fmt: skip
        file.write(np.zeros((1, 86, 2), np.uint8))
    with rasterio.open(path) as source, pytest.raises(DataError, match="lie nowhere or upon"):
        check_placement(path, source)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(1e-7, 0, 179.9, 0, -1e-7, 89.9)),  # a centimetre
        ("EPSG:32640", Affine(0.3, 0, 4e5, 0, -0.3, 5e6)),
        ("EPSG:32640", Affine(0.2, 0.1, 4e5, 0.1, -0.2, 5e6)),
        (None, Affine(1000.0, 0, 0, 0, 1000.0, 0)),
    ],
    ids=["degrees", "metres", "turned", "south up"],
)
def test_usual_places_are_taken(tmp_path, crs, transform):
    path = tmp_path / "scene.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=3, count=1, dtype="uint8",
        crs=crs, transform=transform,
    ) as file:  # fmt: skip
        file.write(np.zeros((1, 3, 2), np.uint8))
    with rasterio.open(path) as source:
        found, _ = check_placement(path, source)
    assert (found is None) == (crs is None)
