"""Maps held against polygons, and against rasters of the truth."""

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine
from tests.fixtures.class_maps import middles, write_classes, write_layer
from tests.fixtures.ground import grid
from tests.mapping.quality.cities import NAMES

from terrashot.errors import ConfigError, DataError
from terrashot.mapping.quality.assess import AssessOptions, assess_map


def boxes(*places):
    """Rectangles of pixels (top, left, height, width) on the ground."""
    return [
        shapely.transform(
            shapely.box(left, top, left + width, top + height),
            lambda p: p @ np.array([[2, 0], [0, -2]]) + (grid().c, grid().f),
        )
        for top, left, height, width in places
    ]


def test_polygons_show_the_pixels_whose_centres_lie_in_them(city, tmp_path):
    truth, mapped, path = city
    places = [(10 * i, 10 * j, 10, 10) for i, j in ((1, 1), (2, 5), (3, 2), (4, 4), (5, 7), (0, 0))]
    words = [NAMES[truth[top, left]] for top, left, *_ in places]
    layer = write_layer(tmp_path / "p.gpkg", boxes(*places), **{"class": words})
    found = assess_map(path, layer, AssessOptions())
    ground = np.zeros((3, 3))
    for top, left, *_ in places[:5]:
        part = mapped[top : top + 10, left : left + 10].ravel()
        ground[:, truth[top, left]] += np.bincount(part, minlength=3)
    weights = np.array([(mapped == k).sum() for k in range(3)]) / (mapped != 255).sum()
    expected = weights[:, None] * ground / ground.sum(axis=1, keepdims=True)
    assert found.accuracy.matrix == pytest.approx(expected)
    assert found.looked_at == "polygons"
    assert "1 of 6 polygon(s) show no pixel" in found.notes[0]
    assert "each polygon is one observation" in found.assumption


def test_pixels_that_unlike_polygons_claim_count_for_none(city, tmp_path):
    _, mapped, path = city
    mapped[...] = 1
    write_classes(path, mapped, NAMES)
    layer = write_layer(
        tmp_path / "p.gpkg",
        boxes((20, 20, 10, 10), (20, 25, 10, 10), (40, 40, 10, 10), (40, 40, 10, 10)),
        **{"class": ["tree", "water", "tree", "tree"]},
    )
    found = assess_map(path, layer, AssessOptions())
    # 50 pixels of tree and of water without those of both; 100 of tree, once.
    assert found.accuracy.overall.values == pytest.approx(150 / 200)
    assert "pixels that polygons of several classes claim are left out" in found.notes


def test_kinds_that_do_not_go_together_are_told(city, tmp_path):
    path = city[2]
    square, point = boxes((20, 20, 5, 5))[0], middles([30], [30])[0]
    mixed = write_layer(tmp_path / "m.gpkg", [square, point], **{"class": ["tree", "tree"]})
    with pytest.raises(DataError, match="holds points and polygons"):
        assess_map(path, mixed, AssessOptions())
    line = write_layer(tmp_path / "l.gpkg", [square.exterior], **{"class": ["tree"]})
    with pytest.raises(DataError, match="holds lines"):
        assess_map(path, line, AssessOptions())
    area = write_layer(tmp_path / "a.gpkg", [square], **{"class": ["tree"]})
    for reference in (area, path):
        with pytest.raises(ConfigError, match="goes with points"):
            assess_map(path, reference, AssessOptions(strata=path))
    with pytest.raises(DataError, match=r"has no attribute 'kind'.*reference_attribute names"):
        assess_map(path, area, AssessOptions(attribute="kind"))
    with pytest.raises(ConfigError, match="confidence is 95"):
        AssessOptions(confidence=95)


def test_a_raster_of_the_truth_is_counted_without_intervals(city, tmp_path):
    truth, mapped, path = city
    found = assess_map(path, write_classes(tmp_path / "t.tif", truth, NAMES), AssessOptions())
    valid = mapped != 255
    assert found.accuracy.overall.values == pytest.approx((mapped == truth)[valid].mean())
    assert found.accuracy.shares.values == pytest.approx(np.bincount(truth[valid]) / valid.sum())
    assert not found.sampled
    assert found.counts.sum() == valid.sum()
    assert found.assumption.endswith("That is all of the map.")


def test_a_truth_of_a_part_says_nothing_of_the_rest(city, tmp_path):
    truth, mapped, path = city
    truth[30:] = 255
    found = assess_map(path, write_classes(tmp_path / "t.tif", truth), AssessOptions())
    assert "and the figures say nothing of the rest" in found.assumption
    assert found.whole == pytest.approx(4e-4 * (mapped[:30] != 255).sum())


def test_a_truth_on_another_grid_is_brought_to_that_of_the_map(city, tmp_path):
    truth, mapped, path = city
    fine = truth[10:].repeat(2, 0).repeat(2, 1)
    place = grid(0, 10) @ Affine.scale(0.5)
    found = assess_map(
        path, write_classes(tmp_path / "t.tif", fine, place=place, nodata=None), AssessOptions()
    )
    assert found.counts.sum() == mapped[10:].size
    assert found.accuracy.overall.values == pytest.approx((mapped == truth)[10:].mean())
    assert "t.tif was brought to the grid of the map" in found.notes[0]
    bare = write_classes(tmp_path / "b.tif", fine, crs=None, place=Affine.identity())
    with pytest.raises(DataError, match="lies on another grid"):
        assess_map(path, bare, AssessOptions())


def test_classes_of_two_rasters_meet_by_name(city, tmp_path):
    truth, _, path = city
    plain = assess_map(path, write_classes(tmp_path / "t.tif", truth, NAMES), AssessOptions())
    turned = write_classes(tmp_path / "u.tif", 2 - truth, ("water", "tree", "other"))
    found = assess_map(path, turned, AssessOptions())
    assert np.array_equal(found.counts, plain.counts)
    other = write_classes(tmp_path / "o.tif", truth, ("other", "tree", "sea"))
    with pytest.raises(DataError, match="has the class sea, but the map has other, tree, water"):
        assess_map(path, other, AssessOptions())
