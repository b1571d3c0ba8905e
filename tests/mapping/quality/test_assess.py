import numpy as np
import pytest
import shapely
from rasterio.transform import Affine
from rasterio.warp import transform
from tests.assessment.test_stratified import MAP, REFERENCE, STRATA
from tests.fixtures.class_maps import middles, write_classes, write_layer
from tests.fixtures.ground import UTM
from tests.mapping.quality.cities import NAMES, by_hand, drawn, labelled, scene

from terrashot.errors import DataError
from terrashot.mapping.quality import class_raster
from terrashot.mapping.quality.assess import AssessOptions, assess_map


def test_points_are_weighed_by_the_ground_of_the_classes(city, tmp_path):
    truth, mapped, path = city
    rows, columns = drawn(mapped)
    found = assess_map(path, labelled(tmp_path, truth, rows, columns), AssessOptions())
    right, shares = by_hand(truth, mapped, rows, columns)
    assert found.names == NAMES
    assert found.accuracy.overall.values == pytest.approx(right)
    assert found.accuracy.shares.values == pytest.approx(shares)
    assert (found.unit, found.looked_at, found.notes) == ("ha", "points", ())
    assert found.mapped == pytest.approx([4e-4 * (mapped == k).sum() for k in range(3)])
    assert found.counts.sum(axis=1).tolist() == [40, 40, 40]
    assert "random sample within each class of the map" in found.assumption
    # With the correction for finite populations.
    n, size = 40, np.array([(mapped == k).sum() for k in range(3)])
    users = found.accuracy.users
    expected = np.sqrt((1 - n / size) * users.values * (1 - users.values) / (n - 1))
    assert users.errors == pytest.approx(expected)


def test_points_in_any_system_and_numbers_or_names_in_any_case_say_the_same(city, tmp_path):
    truth, mapped, path = city
    rows, columns = drawn(mapped)
    points = shapely.points(
        *transform(UTM, "EPSG:4326", *shapely.get_coordinates(middles(rows, columns)).T)
    )
    ids = truth[rows, columns].tolist()
    words = [str(k) if i % 2 else NAMES[k].upper() for i, k in enumerate(ids)]
    layer = write_layer(tmp_path / "p.geojson", points, "EPSG:4326", kind=words)
    found = assess_map(path, layer, AssessOptions(attribute="kind"))
    plain = assess_map(path, labelled(tmp_path, truth, rows, columns), AssessOptions())
    assert np.array_equal(found.counts, plain.counts)


def test_small_blocks_change_nothing(city, tmp_path, monkeypatch):
    truth, mapped, path = city
    layer = labelled(tmp_path, truth, *drawn(mapped))
    whole = assess_map(path, layer, AssessOptions())
    monkeypatch.setattr(class_raster, "_SIDE", 17)
    parts = assess_map(path, layer, AssessOptions())
    assert np.array_equal(whole.counts, parts.counts)
    assert whole.mapped == pytest.approx(parts.mapped)


def test_areas_are_those_on_the_ground(tmp_path):
    """Pixels of a tenth of a degree from 50 to 60 degrees: the northern ones are smaller."""
    ids = np.zeros((100, 20), np.uint8)
    ids[:50] = 1
    place = Affine(0.1, 0, 10, 0, -0.1, 60)
    path = write_classes(tmp_path / "m.tif", ids, crs="EPSG:4326", place=place)
    rows = np.array([10, 20, 70, 80])
    layer = write_layer(
        tmp_path / "p.gpkg",
        middles(rows, rows // 10, place),
        "EPSG:4326",
        **{"class": [1, 0, 0, 0]},
    )
    found = assess_map(path, layer, AssessOptions())
    # On a sphere; the ellipsoid is within six thousandths.
    ground = 6.371e6**2 * np.radians(2) * -np.diff(np.sin(np.radians([60, 55, 50]))) / 1e4
    assert found.mapped == pytest.approx(ground[::-1], rel=6e-3)
    assert found.accuracy.overall.values == pytest.approx(
        (found.mapped[0] + found.mapped[1] / 2) / found.mapped.sum()
    )


def test_stehmans_example_from_files(tmp_path):
    """His 40 pixels in a map of 100,000, with the strata of another one."""
    strata = np.repeat(np.arange(4), [40_000, 30_000, 20_000, 10_000]).astype(np.uint8)
    places = np.concatenate([start + 7 * np.arange(10) for start in (0, 40_000, 70_000, 90_000)])
    mapped = strata.copy()
    mapped[places] = ["ABCD".index(word) for word in MAP]
    assert [("ABCD"[k]) for k in strata[places]] == list(STRATA)
    names = tuple("ABCD")
    old = write_classes(tmp_path / "old.tif", strata.reshape(250, 400), names)
    new = write_classes(tmp_path / "new.tif", mapped.reshape(250, 400), names)
    points = middles(*np.divmod(places, 400))
    ids = strata[places].astype(np.int32)
    layer = write_layer(
        tmp_path / "p.gpkg", points, **{"class": list(REFERENCE), "stratum_id": ids}
    )
    found = assess_map(new, layer, AssessOptions(strata=old)).accuracy
    assert found.overall.values == pytest.approx(0.63)
    assert round(float(found.overall.errors), 3) == 0.085
    assert round(found.users.values[1], 3) == 0.574
    assert round(found.users.errors[1], 3) == 0.125
    assert round(found.producers.values[1], 3) == 0.794
    with pytest.raises(DataError, match=r"were drawn in another stratum than that of .*new.tif"):
        assess_map(new, layer, AssessOptions())


def test_what_lies_off_the_map_or_has_no_label_is_left_out_and_said(city, tmp_path):
    truth, mapped, path = city
    rows, columns = drawn(mapped)
    plain = assess_map(path, labelled(tmp_path, truth, rows, columns), AssessOptions())
    words = [*(NAMES[k] for k in truth[rows, columns].tolist()), "tree", "tree", "tree", None]
    points = [
        *middles(rows, columns),
        *middles([-5, 3, 10**7], [2, 3, 10**7]),
        *middles([30], [30]),
    ]
    layer = write_layer(tmp_path / "more.gpkg", points, **{"class": words})
    found = assess_map(path, layer, AssessOptions())
    assert np.array_equal(found.counts, plain.counts)
    said = "\n".join(found.notes)
    assert "1 object(s) without a value of 'class' left out" in said
    assert "2 of 123 point(s) off the map: left out" in said
    assert "1 of 123 point(s) where the map has no class: left out" in said


def test_two_points_in_a_pixel_are_said(city, tmp_path):
    truth, mapped, path = city
    rows, columns = drawn(mapped)
    layer = labelled(tmp_path, truth, *(np.append(v, v[0]) for v in (rows, columns)))
    assert (
        "1 point(s) lie in the pixel of another one"
        in assess_map(path, layer, AssessOptions()).notes[0]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["tree", "watr"],
            r"names watr, but the map has the classes other, tree, water\. Did you ",
        ),
        (["tree", "7"], "names 7, but"),
        ([None, None], "holds no object that could be used"),
    ],
)
def test_classes_that_the_map_has_not_are_told(city, tmp_path, words, message):
    layer = write_layer(tmp_path / "p.gpkg", middles([30, 31], [30, 31]), **{"class": words})
    with pytest.raises(DataError, match=message):
        assess_map(city[2], layer, AssessOptions())


def test_a_class_without_points_is_an_error_or_left_out(city, tmp_path):
    truth, mapped, path = city
    rows, columns = drawn(mapped)
    keep = mapped[rows, columns] != 2
    layer = labelled(tmp_path, truth, rows[keep], columns[keep])
    with pytest.raises(DataError, match=r"nothing in the class\(es\) of the map water, so"):
        assess_map(path, layer, AssessOptions())
    found = assess_map(path, layer, AssessOptions(leave_out=("water",)))
    assert found.mapped[2] == 0
    assert found.mapped.sum() == pytest.approx(4e-4 * np.isin(mapped, [0, 1]).sum())
    assert found.accuracy.shares.values.sum() == pytest.approx(1)
    assert np.isfinite(found.accuracy.overall.errors)


def test_a_class_with_one_point_has_no_error_and_that_is_said(city, tmp_path):
    truth, mapped, path = city
    rows, columns = drawn(mapped)
    keep = (mapped[rows, columns] != 2) | (np.arange(len(rows)) == 80)
    found = assess_map(path, labelled(tmp_path, truth, rows[keep], columns[keep]), AssessOptions())
    assert "water: a single point" in "\n".join(found.notes)
    assert np.isnan(found.accuracy.overall.errors)
    assert np.isfinite(found.accuracy.users.errors[:2]).all()


def test_a_class_without_an_error_among_its_points_is_said(city, tmp_path):
    _, mapped, path = city
    found = assess_map(path, labelled(tmp_path, mapped, *drawn(mapped)), AssessOptions())
    assert "water (up to 8 % may be otherwise)" in found.notes[0]


def test_systems_that_are_not_known_are_told(city, tmp_path):
    _, mapped, path = city
    layer = write_layer(tmp_path / "p.gpkg", middles([30], [30]), None, **{"class": ["tree"]})
    with pytest.raises(DataError, match=r"p.gpkg names no reference system, but .*city.tif does"):
        assess_map(path, layer, AssessOptions())
    bare = write_classes(tmp_path / "bare.tif", mapped, NAMES, None, Affine.identity())
    layer = write_layer(tmp_path / "q.gpkg", middles([30], [30]), **{"class": ["tree"]})
    with pytest.raises(DataError, match=r"bare.tif names no reference system"):
        assess_map(bare, layer, AssessOptions())


def test_points_far_from_the_map_are_an_error(city, tmp_path):
    layer = write_layer(
        tmp_path / "p.gpkg", [shapely.Point(10, 50)], "EPSG:4326", **{"class": ["tree"]}
    )
    with pytest.raises(DataError, match="none of the 1 point"):
        assess_map(city[2], layer, AssessOptions())


def test_what_is_no_class_map_is_told(city, tmp_path):
    layer = write_layer(tmp_path / "p.gpkg", middles([1], [1]), **{"class": ["1"]})
    wrong = {
        "half.tif": (np.full((4, 4), 0.5, np.float32), "holds 0.5, but a class map holds whole"),
        "minus.tif": (np.full((4, 4), -9999, np.int16), "gdal_edit.py -a_nodata -9999 minus.tif"),
        "none.tif": (np.full((4, 4), 255, np.uint8), "has no pixel with a class that counts"),
        "many.tif": (np.arange(400, dtype=np.int16).reshape(20, 20), "holds 400 different numbers"),
    }
    for name, (ids, message) in wrong.items():
        path = write_classes(tmp_path / name, ids, nodata=None)
        with pytest.raises(DataError, match=message):
            assess_map(path, layer, AssessOptions())
    with pytest.raises(DataError, match="does not exist; give the path of a class map with map="):
        assess_map(tmp_path / "not.tif", layer, AssessOptions())
    with pytest.raises(DataError, match=r"not\.gpkg does not exist"):
        assess_map(city[2], tmp_path / "not.gpkg", AssessOptions())


def test_whole_numbers_kept_as_floats_with_nan_are_a_map(tmp_path):
    truth, mapped = scene()
    floats = np.where(mapped == 255, np.nan, mapped).astype(np.float32)
    path = write_classes(tmp_path / "f.tif", floats, nodata=None)
    layer = write_layer(
        tmp_path / "p.gpkg",
        middles(*drawn(mapped)),
        **{"class": truth[drawn(mapped)].astype(np.int32)},
    )
    found = assess_map(path, layer, AssessOptions())
    assert found.accuracy.overall.values == pytest.approx(by_hand(truth, mapped, *drawn(mapped))[0])
    assert found.names == ("0", "1", "2")
