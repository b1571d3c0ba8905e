import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.transform import Affine
from tests.fixtures.class_maps import write_classes
from tests.fixtures.ground import grid
from tests.mapping.quality.test_assess import NAMES, scene

from terrashot.errors import ConfigError, DataError
from terrashot.mapping.quality.amounts import measure
from terrashot.mapping.quality.class_raster import open_classes
from terrashot.mapping.quality.draw import draw_pixels
from terrashot.mapping.quality.sample import SampleOptions, write_sample


@pytest.fixture
def city(tmp_path):
    _, mapped = scene()
    return mapped, write_classes(tmp_path / "city.tif", mapped, NAMES)


def read(path):
    """Metadata, points and columns by name."""
    meta, _, wkb, columns = pyogrio.raw.read(path)
    return meta, shapely.from_wkb(wkb), dict(zip(meta["fields"], columns, strict=True))


def pixels(points, place=None):
    columns, rows = ~(place or grid()) @ shapely.get_coordinates(points).T
    return np.floor(rows).astype(int), np.floor(columns).astype(int)


def test_points_lie_in_the_middle_of_pixels_of_their_stratum(city, tmp_path):
    mapped, path = city
    drawn = write_sample(path, tmp_path / "p.gpkg", SampleOptions(units=300, allocation="equal"))
    meta, points, columns = read(tmp_path / "p.gpkg")
    rows, cols = pixels(points)
    assert np.array_equal(mapped[rows, cols], columns["stratum_id"])
    assert np.bincount(columns["stratum_id"]).tolist() == drawn.units.tolist() == [100] * 3
    assert len(set(zip(rows.tolist(), cols.tolist(), strict=True))) == 300
    assert columns["number"].tolist() == list(range(1, 301))
    assert set(columns["class"]) == {None}
    assert meta["crs"] == "EPSG:32640"
    assert drawn.shares == pytest.approx(
        [(mapped == k).sum() / (mapped < 3).sum() for k in range(3)]
    )
    # The strata are mixed: whoever labels should not see one after the other.
    assert (np.diff(columns["stratum_id"]) != 0).sum() > 100


def test_the_same_seed_draws_the_same_and_another_one_another(city, tmp_path):
    found = []
    for number, seed in enumerate((7, 7, 8)):
        path = tmp_path / f"{number}.gpkg"
        write_sample(city[1], path, SampleOptions(units=150, seed=seed))
        found.append(shapely.get_coordinates(read(path)[1]))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_every_pixel_of_a_stratum_is_as_likely(city):
    mapped, path = city
    hits = np.zeros(mapped.shape)
    with open_classes(path, "map") as raster:
        amounts, _ = measure(raster, raster)
        for seed in range(60):
            rows, columns, _ = draw_pixels(raster, amounts, np.full(3, 200), seed)
            np.add.at(hits, (rows, columns), 1)
    assert hits[mapped == 255].sum() == 0
    for index in range(3):
        inside = hits[mapped == index]
        expected = 60 * 200 / len(inside)
        # Of independent draws the variance is n p (1 - p).
        assert inside.var() == pytest.approx(expected * (1 - 200 / len(inside)), rel=0.15)


def test_in_degrees_a_pixel_is_drawn_by_its_ground(tmp_path):
    """From the equator to 80 degrees, where a pixel has a sixth of the ground."""
    place = Affine(0.1, 0, 0, 0, -0.1, 80)
    ids = np.zeros((800, 40), np.uint8)
    path = write_classes(tmp_path / "m.tif", ids, crs="EPSG:4326", place=place)
    write_sample(path, tmp_path / "p.gpkg", SampleOptions(units=4000))
    north = shapely.get_y(read(tmp_path / "p.gpkg")[1]) > 40
    share = 1 - np.sin(np.radians(40)) / np.sin(np.radians(80))
    assert north.mean() == pytest.approx(share, abs=0.025)  # of pixels it is 0.5


def test_nothing_is_written_over(city, tmp_path):
    output = tmp_path / "p.gpkg"
    write_sample(city[1], output, SampleOptions(units=200))
    before = output.read_bytes()
    with pytest.raises(ConfigError, match="is there already, perhaps with labels in it"):
        write_sample(city[1], output, SampleOptions(units=300))
    assert output.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city.tif", "city.tif.aux.xml", "p.gpkg"]


def test_any_name_and_a_folder_that_is_not_there(city, tmp_path):
    output = tmp_path / "new; folder" / "a!b.gpkg"
    write_sample(city[1], output, SampleOptions(units=200))
    assert output.stat().st_size > 10_000
    assert [p.name for p in output.parent.iterdir()] == ["a!b.gpkg"]


def test_a_map_without_a_place_has_its_points_where_qgis_shows_it(city, tmp_path):
    mapped, _ = city
    path = write_classes(tmp_path / "bare.tif", mapped, NAMES, None, Affine.identity())
    write_sample(path, tmp_path / "p.gpkg", SampleOptions(units=200))
    meta, points, columns = read(tmp_path / "p.gpkg")
    rows, cols = pixels(points, Affine(1, 0, 0, 0, -1, 0))
    assert meta["crs"] is None or "Undefined" in meta["crs"]
    assert np.array_equal(mapped[rows, cols], columns["stratum_id"])


def test_the_size_from_a_standard_error(city, tmp_path):
    options = SampleOptions(
        standard_error=0.02, expected=0.9, expected_of={"tree": 0.5}, allocation="proportional"
    )
    drawn = write_sample(city[1], tmp_path / "p.gpkg", options)
    spread = drawn.shares @ np.array([0.3, 0.5, 0.3])
    assert drawn.units.sum() == np.ceil((spread / 0.02) ** 2)


def test_classes_that_are_left_out_have_no_points(city, tmp_path):
    drawn = write_sample(
        city[1], tmp_path / "p.gpkg", SampleOptions(units=200, leave_out=("water",))
    )
    assert drawn.names == ["other", "tree"]
    assert drawn.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "needs its size"),
        ({"units": 10, "standard_error": 0.01}, "and not both"),
        ({"units": 0}, "n is 0"),
        ({"standard_error": float("nan")}, "standard_error is nan"),
        ({"units": 200, "expected": 1.5}, r"expected is 1\.5"),
        ({"units": 200, "minimum": 1}, "minimum is 1"),
        ({"units": 200, "seed": -1}, "seed is -1"),
        ({"units": 200, "allocation": "fair"}, "one of compromise, equal, proportional"),
    ],
)
def test_settings_out_of_range_are_told(wrong, message):
    with pytest.raises(ConfigError, match=message):
        SampleOptions(**wrong)


def test_what_does_not_go_with_the_map_is_told(city, tmp_path):
    with pytest.raises(ConfigError, match="3 strata with at least 50 points"):
        write_sample(city[1], tmp_path / "p.gpkg", SampleOptions(units=100))
    with pytest.raises(ConfigError, match=r"ends in \.gpkg"):
        write_sample(city[1], tmp_path / "p.shp", SampleOptions(units=300))
    with pytest.raises(DataError, match="leave_out names see, but the map has the classes"):
        write_sample(city[1], tmp_path / "p.gpkg", SampleOptions(units=300, leave_out=("see",)))
    with pytest.raises(DataError, match="expected names wood"):
        write_sample(
            city[1],
            tmp_path / "p.gpkg",
            SampleOptions(standard_error=0.01, expected_of={"wood": 0.9}),
        )
    assert not (tmp_path / "p.gpkg").exists()
