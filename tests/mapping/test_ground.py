"""Areas are those on the ground, whatever the reference system."""

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from terrashot.mapping.ground import Ground

LUNAR_STEREOGRAPHIC = "+proj=stere +lat_0=90 +R=1737400 +units=m"
MOLLWEIDE, SINUSOIDAL = "ESRI:54009", "+proj=sinu +R=6371007.181 +units=m"  # that of MODIS


def ground_at(crs, left, top, size, shape=(64, 64), turn=0):
    place = Affine.translation(left, top) @ Affine.rotation(turn) @ Affine.scale(size, -size)
    return Ground.of(CRS.from_user_input(crs), place, shape)


def total(ground):
    """Square metres of all pixels."""
    return ground.pixels(0, 0, *ground.shape).sum()


def outline(ground):
    height, width = ground.shape
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    return shapely.Polygon([ground.transform @ corner for corner in corners])


def on_a_sphere(radius, south, north, east):
    """Square metres between two parallels, over ``east`` degrees."""
    return radius**2 * np.radians(east) * np.ptp(np.sin(np.radians([south, north])))


@pytest.mark.parametrize(
    ("crs", "left", "top", "size", "hectares"),
    [
        ("EPSG:3857", 1e6, 8399737, 10, 10.275),  # Web Mercator at 60 degrees
        ("EPSG:3395", 1e6, 8362698, 10, 10.293),  # World Mercator
        ("EPSG:3832", 1e6, 8362698, 10, 10.293),  # about another meridian
        ("EPSG:4807", 0, 54, 1e-4, 27.214),  # grads of Paris: 54 are 48.6 degrees
        ("IAU_2015:30100", 10, 50, 1e-4, 2.4211),  # the Moon
        ("EPSG:32633", 1_500_000, 5_200_000, 10, 40.0004),  # 1000 km east of the zone's meridian
        ("EPSG:3031", -320, 320, 10, 43.285),  # around the south pole
        ("EPSG:2154", 700_000, 9_000_000, 10, 34.823),  # Lambert-93, far north of France
        ("EPSG:4087", 1e6, 6_600_000, 10, 20.988),  # equirectangular
    ],
)
def test_areas_are_those_on_the_ellipsoid_of_the_system(crs, left, top, size, hectares):
    ground = ground_at(crs, left, top, size)
    assert total(ground) / 1e4 == pytest.approx(hectares, rel=5e-5)
    assert ground.shapes(np.array([outline(ground)]))[0] == pytest.approx(total(ground), rel=1e-6)


@pytest.mark.parametrize(
    ("crs", "left", "top", "unit"),
    [
        ("EPSG:32633", 500_000, 5_200_000, 1),  # within its zone
        ("EPSG:27700", 400_000, 300_000, 1),
        ("EPSG:2225", 6_561_666, 2_000_000, 1200 / 3937),  # US survey feet
        ("EPSG:7415", 100_000, 400_000, 1),  # with heights
        ("EPSG:6933", 1e6, 5e6, 1),  # equal-area, everywhere
        ("EPSG:6933", -1.5e7, -7e6, 1),
        ("EPSG:3035", 4e6, 3e6, 1),
    ],
)
@pytest.mark.parametrize("turn", [0, 30])
def test_an_honest_plane_is_taken_at_its_word(crs, left, top, unit, turn):
    ground = ground_at(crs, left, top, 10, turn=turn)
    assert total(ground) == pytest.approx(64 * 64 * 100 * unit**2, rel=1e-12)
    assert ground.pixel == pytest.approx(100 * unit**2, rel=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:3395", "EPSG:4326"])
def test_a_turned_grid_covers_what_its_outline_covers(crs):
    top, size = (61, 1e-3) if crs == "EPSG:4326" else (8_400_000, 100)
    straight, turned = (ground_at(crs, 20, top, size, turn=turn) for turn in (0, 90))
    # A quarter turn about the corner lays it over the ground to the west of the straight one.
    assert total(turned) == pytest.approx(total(straight), rel=0.1)
    for turn in (20, 45):
        ground = ground_at(crs, 20, top, size, turn=turn)
        found = ground.shapes(np.array([outline(ground)]))[0]
        assert found == pytest.approx(total(ground), rel=1e-6)


def test_both_sides_of_180_degrees_are_one_plane():
    """180 degrees east is 3 339 585 m in the Mercator of the Pacific."""
    across, beside = (ground_at("EPSG:3832", 3_339_585 + x, 8_362_698, 10) for x in (-320, -9000))
    assert total(across) == pytest.approx(total(beside), rel=1e-9)
    box = np.array([outline(across)])
    assert across.shapes(box)[0] == pytest.approx(total(across), rel=1e-9)
    degrees = ground_at("EPSG:4326", 179.99, 60, 1e-3)
    assert total(degrees) == pytest.approx(total(ground_at("EPSG:4326", 10, 60, 1e-3)), rel=1e-9)


def test_another_body_has_its_own_size_in_a_projection_too():
    """The square of 300 km around the Moon's pole, from its ring of parallels."""
    ground = ground_at(LUNAR_STEREOGRAPHIC, -300_000, 300_000, 600, shape=(1000, 1000))
    y, x = np.mgrid[:1000, :1000] * 600 - 300_000 + 300
    angle = 2 * np.arctan(np.hypot(x, y) / (2 * 1_737_400))
    disc = np.hypot(x, y) < 300_000
    found = ground.pixels(0, 0, 1000, 1000)
    south = 90 - np.degrees(2 * np.arctan(300_000 / (2 * 1_737_400)))
    assert found[disc].sum() == pytest.approx(on_a_sphere(1_737_400, south, 90, 360), rel=1e-3)
    np.testing.assert_allclose(found, 600**2 * np.cos(angle / 2) ** 4, rtol=1e-6)


def test_the_pixels_of_parts_are_those_of_the_whole():
    ground = ground_at("EPSG:3031", -3e6, 3e6, 1e4, shape=(600, 600))
    whole = ground.pixels(0, 0, 600, 600)
    part = ground.pixels(123, 345, 200, 7)
    np.testing.assert_allclose(part, whole[123:323, 345:352], rtol=1e-4)
    assert whole.sum() == pytest.approx(ground.shapes(np.array([outline(ground)]))[0], rel=1e-6)


def test_pixels_of_centimetres_are_measured_without_noise():
    ground = ground_at("EPSG:3031", 1e6, 1e6, 0.02, shape=(500, 500))
    found = ground.pixels(0, 0, 500, 500)
    assert np.ptp(found) / found.mean() < 1e-5
    assert total(ground) / 1e4 == pytest.approx(
        total(ground_at("EPSG:3031", 1e6, 1e6, 10, shape=(1, 1))) / 1e4, rel=1e-5
    )


def test_shapes_with_long_edges_keep_their_ground():
    """Edges of a map that covers a continent bend on their way to the equal-area plane."""
    ground = ground_at("EPSG:3031", -3e6, 3e6, 1e4, shape=(600, 600))
    left, right = shapely.box(-3e6, -3e6, 0, 3e6), shapely.box(0, -3e6, 3e6, 3e6)
    halves = ground.shapes(np.array([left, right]))
    assert halves.sum() == pytest.approx(total(ground), rel=1e-6)
    assert halves[0] == pytest.approx(halves[1], rel=1e-6)


@pytest.mark.parametrize("crs", [MOLLWEIDE, SINUSOIDAL])
def test_a_map_of_the_whole_world_in_an_equal_area_projection_has_its_corners_beside_it(crs):
    ground = ground_at(crs, -18_040_000, 9_020_000, 100_000, shape=(180, 360))
    assert ground.pixel == 1e10


@pytest.mark.parametrize(
    "crs", ['LOCAL_CS["site",UNIT["metre",1]]', "+proj=geos +h=35785831 +lon_0=0", "EPSG:4978"]
)
def test_where_the_ground_is_not_known_there_are_only_pixels(crs):
    """A building site; a disc seen from space, corners and all; geocentric coordinates."""
    ground = ground_at(crs, -5.5e6, 5.5e6, 1e5, shape=(110, 110))
    assert not ground.known
    assert ground.pixels(0, 0, 110, 110) is None
    assert ground.shapes(np.array([shapely.box(0, 0, 1, 1)])) is None
    assert not Ground.of(None, Affine.identity(), (4, 4)).known


def test_the_smallest_pixel_is_what_a_minimum_of_square_metres_is_counted_in():
    ground = ground_at("EPSG:3857", 1e6, 8_399_737, 10, shape=(640, 640))
    found = ground.pixels(0, 0, 640, 640)
    assert ground.pixel == pytest.approx(found.min(), rel=1e-4)
    assert ground_at("EPSG:4326", 10, 50, 1e-4).pixel is None
