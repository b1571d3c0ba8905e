import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import shapes as polygons_of
from rasterio.warp import transform_geom
from shapely import LineString, Point, box
from shapely.geometry import shape
from tests.fixtures.ground import METRE, UTM, grid, on_ground

from terrashot.data.labels.layer import read_layer
from terrashot.data.labels.options import BurnOptions
from terrashot.data.support_windows import SupportWindows
from terrashot.errors import ConfigError, DataError


def windows(path, images, taxonomy, areas=None, **options):
    layer = read_layer(path)
    made = taxonomy(*layer.names)
    return SupportWindows(layer, images, made, BurnOptions(**options), areas and read_layer(
        areas, None, key="support.areas"
    ))  # fmt: skip


def mask_of(source, class_id):
    """The mask of the only window of a class."""
    (index,) = [i for i, own in enumerate(source.class_ids) if own == class_id]
    return source.mask(index).numpy()


def in_degrees(shapes):
    return [shape(transform_geom(UTM, "EPSG:4326", s.__geo_interface__)) for s in shapes]


def test_a_polygon_covers_the_pixels_whose_centres_lie_in_it(write_layer, image, taxonomy):
    path = write_layer([on_ground(box(10.4, 20.6, 30, 40))], ["pool"])
    source = windows(path, [image()], taxonomy)
    expected = np.full((100, 120), 255)
    expected[21:40, 10:30] = 3
    np.testing.assert_array_equal(mask_of(source, 3), expected)
    sample = source[0]
    assert sample["image"].shape == (3, 100, 120)
    assert sample["class_id"] == 3
    assert sample["name"] == "scene.tif 0,0 120 x 100"
    assert source.path(0) is None
    assert source.summary(3) == [sample["name"]]
    np.testing.assert_array_equal(source.unlabelled(0).numpy(), expected == 255)


def test_a_window_shows_its_part_of_the_image(write_layer, image, taxonomy):
    whole = image()
    source = windows(
        write_layer([on_ground(box(60, 50, 70, 60))], ["pool"]), [whole], taxonomy, window=32
    )
    with rasterio.open(whole.raster.path) as file:
        pixels = file.read()
    (place,) = [p for _, p in source._where]
    part = pixels[:, place.top : place.top + 32, place.left : place.left + 32]
    np.testing.assert_array_equal((source[0]["image"] * 255).round().numpy(), part)
    assert (mask_of(source, 3) == 3).sum() == 100


def test_holes_stay_open(write_layer, image, taxonomy):
    ring = box(10, 10, 30, 30).difference(box(15, 15, 25, 25))
    mask = mask_of(windows(write_layer([on_ground(ring)], ["pool"]), [image()], taxonomy), 3)
    assert (mask == 3).sum() == 300
    assert (mask[15:25, 15:25] == 255).all()


def test_another_reference_system_gives_the_same_pixels(write_layer, image, taxonomy):
    shapes = [on_ground(box(10.3, 20.3, 30.3, 40.3))]
    ours = mask_of(windows(write_layer(shapes, ["pool"]), [image()], taxonomy), 3)
    path = write_layer(in_degrees(shapes), ["pool"], "degrees.geojson", "EPSG:4326")
    np.testing.assert_array_equal(mask_of(windows(path, [image()], taxonomy), 3), ours)


def test_lines_and_points_have_their_metres_in_degrees_too(write_layer, image, taxonomy):
    """At 25 degrees north a degree of longitude is a tenth shorter than one of latitude."""
    shapes = [on_ground(LineString([(20, 50.5), (100, 50.5)])), on_ground(Point(60.5, 20.5))]
    classes = ["road2", "well"]
    side = 1e-5  # a pixel: 1.0 m east and west, 1.1 m north and south
    left, top = in_degrees([Point(grid().c, grid().f)])[0].coords[0]
    place = rasterio.Affine(side, 0, left, 0, -side, top)
    degrees = image("degrees.tif", (240, 300), "EPSG:4326", place)
    for path in (
        write_layer(shapes, classes),
        write_layer(in_degrees(shapes), classes, "degrees.geojson", "EPSG:4326"),
    ):
        source = windows(path, [degrees], taxonomy, line_width=10, point_radius=12)
        line, point = mask_of(source, 3) == 3, mask_of(source, 4) == 4
        across = line.sum(0)
        assert across[150] == pytest.approx(10 / 1.107, abs=1.01)
        high, wide = point.any(1).sum(), point.any(0).sum()
        assert wide == pytest.approx(24 / 1.008, abs=1.01)
        assert high == pytest.approx(24 / 1.107, abs=1.01)
        assert point.sum() == pytest.approx(np.pi * 144 / (1.008 * 1.107), rel=0.03)


def test_lines_and_points_on_a_metric_grid(write_layer, image, taxonomy):
    shapes = [on_ground(LineString([(20, 50), (100, 50)])), on_ground(Point(60, 20))]
    source = windows(
        write_layer(shapes, ["lane", "well"]), [image()], taxonomy, line_width=8, point_radius=9
    )
    line = mask_of(source, 3) == 3
    assert line.any(0).sum() == pytest.approx(80 + 4, abs=1)  # and half a circle at each end
    assert (line.sum(0)[30:90] == 8 / METRE).all()
    well = mask_of(source, 4) == 4
    assert well.sum() == pytest.approx(np.pi * 4.5**2, rel=0.06)


def test_metres_are_asked_for(write_layer, image, taxonomy):
    line = write_layer([on_ground(LineString([(20, 50), (100, 50)]))], ["lane"])
    with pytest.raises(ConfigError, match=r"has lines, but support\.line_width has no value"):
        windows(line, [image()], taxonomy)
    point = write_layer([on_ground(Point(20, 50))], ["well"], "p.gpkg")
    with pytest.raises(ConfigError, match=r"has points, but support\.point_radius has no value"):
        windows(point, [image()], taxonomy)
    with pytest.raises(ConfigError, match=r"support\.line_width is -1"):
        BurnOptions(line_width=-1)


def test_what_several_classes_claim_teaches_none(write_layer, image, taxonomy):
    path = write_layer([on_ground(box(10, 10, 30, 30)), on_ground(box(20, 10, 40, 30))], ["a", "b"])
    source = windows(path, [image()], taxonomy)
    first, second = mask_of(source, 3), mask_of(source, 4)
    assert (first[10:30, 10:20] == 3).all()
    assert (first[10:30, 20:30] == 255).all()
    assert (first[10:30, 30:40] == 0).all()  # certain: b and not a
    assert (second[10:30, 30:40] == 4).all()
    assert (second[10:30, 10:20] == 0).all()
    assert not source.unlabelled(0).numpy()[10:30, 10:40].any()
    assert "400 pixel(s) lie in objects of several classes" in source.notes[-1]


def test_inside_completely_labelled_areas_the_rest_is_something_else(write_layer, image, taxonomy):
    path = write_layer([on_ground(box(10, 10, 30, 30))], ["pool"])
    areas = write_layer([on_ground(box(0, 0, 60, 50))], [""], "areas.gpkg")
    mask = mask_of(windows(path, [image()], taxonomy, areas), 3)
    expected = np.full((100, 120), 255)
    expected[:50, :60] = 0
    expected[10:30, 10:30] = 3
    np.testing.assert_array_equal(mask, expected)


def test_a_ring_is_something_else_where_it_is_asked_for(write_layer, image, taxonomy):
    shapes = [on_ground(box(20, 20, 40, 40)), on_ground(box(44, 20, 60, 40))]
    mask = mask_of(windows(write_layer(shapes, ["a", "a"]), [image()], taxonomy, ring=16), 3)
    assert (mask[20:40, 20:40] == 3).all()
    assert (mask[20:40, 44:60] == 3).all()
    assert (mask[30, 12:20] == 0).all()
    assert (mask[30, 40:44] == 0).all()
    assert mask[30, 11] == 255
    assert mask[30, 69] == 255


def test_objects_go_to_the_images_they_lie_in(write_layer, image, taxonomy):
    left, right = image("left.tif"), image("right.tif", transform=grid(column=120))
    shapes = [on_ground(box(110, 10, 130, 30)), on_ground(box(200, 50, 210, 60))]
    shapes.append(on_ground(box(900, 900, 910, 910)))
    source = windows(write_layer(shapes, ["a", "b", "b"]), [left, right], taxonomy)
    names = [source[i]["name"].split()[0] for i in range(len(source))]
    assert list(zip(source.class_ids, names, strict=True)) == [
        (3, "left.tif"), (3, "right.tif"), (4, "right.tif")
    ]  # fmt: skip
    assert (source.mask(0) == 3).sum() == (source.mask(1) == 3).sum() == 200
    assert source.notes == ["labels.gpkg: object(s) outside of all images left out: 1 of 'b'"]


def test_a_class_without_an_object_in_an_image_is_an_error(write_layer, image, taxonomy):
    shapes = [on_ground(box(10, 10, 30, 30)), on_ground(box(900, 900, 910, 910))]
    with pytest.raises(DataError, match=r"No object of 'b' .* lie 1 of 'b'"):
        windows(write_layer(shapes, ["a", "b"]), [image()], taxonomy)
    with pytest.raises(DataError, match=r"No object of far\.gpkg lies in any of the images"):
        windows(write_layer(shapes[1:], ["b"], "far.gpkg"), [image()], taxonomy)
    tiny = write_layer([on_ground(box(10.1, 10.1, 10.2, 10.2))], ["a"], "tiny.gpkg")
    with pytest.raises(DataError, match=r"objects of 'a' cover no pixel of their own"):
        windows(tiny, [image()], taxonomy)


def test_objects_that_no_projection_knows_are_outside(write_layer, image, taxonomy):
    near = in_degrees([on_ground(box(10, 10, 30, 30))])
    path = write_layer(
        [*near, box(-130, 80, -120, 90), box(-180, -90, 180, 90) - near[0].buffer(1e-4)],
        ["a", "a", "b"],
        "world.geojson",
        "EPSG:4326",
    )
    source = windows(path, [image()], taxonomy)
    assert (mask_of(source, 3) == 3).sum() == 400
    assert (mask_of(source, 4)[50:, 60:] == 4).all()
    assert source.notes == ["world.geojson: object(s) outside of all images left out: 1 of 'a'"]


def test_empty_pixels_are_not_learned_from(write_layer, image, taxonomy):
    pixels = np.full((3, 100, 120), 9, np.uint8)
    pixels[:, :, :20] = 0
    path = write_layer([on_ground(box(10, 10, 30, 30))], ["pool"])
    source = windows(path, [image(pixels=pixels, nodata=0)], taxonomy)
    mask = mask_of(source, 3)
    assert (mask[10:30, 10:20] == 255).all()
    assert (mask[10:30, 20:30] == 3).all()
    assert not source.unlabelled(0).numpy()[:, :20].any()


def test_without_a_reference_system_nobody_can_say_where(write_layer, image, taxonomy):
    drawn = [box(10, -30, 30, -10)]  # as QGIS shows an image without one: y upwards from 0
    nowhere = write_layer(drawn, ["pool"], crs=None)
    plain = image("plain.tif", crs=None)
    with pytest.raises(DataError, match=r"names no reference system.*support\.crs=image"):
        windows(nowhere, [plain], taxonomy)
    with pytest.raises(DataError, match=r"plain\.tif names no reference system, but the labels do"):
        windows(write_layer(drawn, ["pool"], "utm.gpkg"), [plain], taxonomy)
    mask = mask_of(windows(nowhere, [plain], taxonomy, in_image=True), 3)
    assert (mask[10:30, 10:30] == 3).all()
    assert (mask == 3).sum() == 400


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb"])
def test_a_mask_that_was_made_polygons_comes_back(write_layer, image, taxonomy, suffix):
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, (25, 30)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    found = [(shape(s), v) for s, v in polygons_of(label, label > 0, transform=grid())]
    path = write_layer([s for s, _ in found], ["ab"[int(v) - 1] for _, v in found], f"r{suffix}")
    areas = write_layer([on_ground(box(0, 0, 120, 100))], [""], f"areas{suffix}")
    source = windows(path, [image()], taxonomy, areas)
    np.testing.assert_array_equal(mask_of(source, 3) == 3, label == 1)
    np.testing.assert_array_equal(mask_of(source, 4) == 4, label == 2)
    assert (mask_of(source, 3)[label != 1] == 0).all()
    assert shapely.area([s for s, _ in found]).sum() == (label > 0).sum() * METRE**2


def test_objects_of_a_known_class_are_labels_of_it(write_layer, image, taxonomy):
    shapes = [box(10, 10, 30, 30), box(40, 10, 60, 30), box(50, 40, 70, 60), box(40, 70, 60, 90)]
    path = write_layer(list(map(on_ground, shapes)), ["pool", "road", "bg", "road"])
    made = taxonomy("pool")
    road = made.names.index("road")
    source = SupportWindows(read_layer(path), [image()], made, BurnOptions(window=120))
    assert source.class_ids == [3, None, None]
    novel, *corrections = (source.mask(i).numpy() for i in range(3))
    assert (novel[10:30, 10:30] == 3).all()
    assert (novel[10:30, 40:60] == road).all()
    assert (novel[40:60, 50:70] == 0).all()  # anything but the class of the window
    for mask, own, drawn in zip(
        corrections, (0, road), [np.s_[40:60, 50:70], np.s_[10:30, 40:60]], strict=True
    ):
        assert (mask[drawn] == own).all()
        assert set(np.unique(mask)) == {own, 255}
    assert not source.unlabelled(1).any()
    assert any("the network knows bg, road" in note for note in source.notes)
