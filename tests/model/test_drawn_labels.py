"""Novel classes from a layer of vectors, on a small network with random weights."""

import warnings

import numpy as np
import pyogrio
import pytest
import shapely
import torch
from rasterio.crs import CRS
from shapely import Point, box
from tests.fixtures.ground import UTM, Frame, grid, on_ground

from terrashot.adaptation.head import LinearHead
from terrashot.errors import ConfigError, DataError
from terrashot.model.base_head import as_adapted
from terrashot.model.drawn_labels import DrawnLabels
from terrashot.model.model import Model
from terrashot.model.sure_base import SureBase

SHAPES = [on_ground(box(10, 10, 40, 40)), on_ground(box(60, 10, 90, 40))]
IMAGE = np.random.default_rng(0).integers(1, 256, (3, 70, 100), dtype=np.uint8)


@pytest.fixture
def base(make_adapted):
    model = make_adapted()
    return Model(as_adapted(model.segmenter, model.taxonomy.base_only()))


@pytest.fixture
def scene(write_raster):
    return write_raster("scene.tif", IMAGE, crs=UTM, transform=grid())


@pytest.fixture
def layer(tmp_path):
    path = tmp_path / "sports.gpkg"
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array(SHAPES, dtype=object)),
        field_data=[np.array(["pool", "court"], dtype=object)],
        fields=["kind"],
        geometry_type="Polygon",
        crs=UTM,
    )
    return path


def test_a_layer_teaches_as_arrays_do_where_everything_is_labelled(base, scene, layer, tmp_path):
    areas = tmp_path / "areas.gpkg"
    everything = shapely.to_wkb(np.array([on_ground(box(0, 0, 100, 70))], dtype=object))
    pyogrio.raw.write(areas, everything, [], [], geometry_type="Polygon", crs=UTM)
    drawn = base.adapt(layer, images=scene, attribute="kind", areas=areas)
    pixels = IMAGE.transpose(1, 2, 0)
    masks = np.zeros((2, 70, 100), bool)
    masks[0, 10:40, 60:90] = masks[1, 10:40, 10:40] = True
    arrays = base.adapt({"court": [(pixels, masks[0])], "pool": [(pixels, masks[1])]})
    assert drawn.classes == arrays.classes == ["background", "tree", "road", "court", "pool"]
    np.testing.assert_allclose(drawn.probabilities(pixels), arrays.probabilities(pixels), atol=1e-5)
    info = drawn.provenance
    assert info["support"]["pool"] == ["scene.tif 0,0 100 x 70"]
    assert info["vectors"]["objects"] == {"court": 1, "pool": 1}
    assert info["vectors"]["labels"] == "sports.gpkg"
    assert info["vectors"]["areas"] == "areas.gpkg"
    assert len(info["vectors"]["sha256"]) == 64
    drawn.save(tmp_path / "adapted.ckpt")  # all of it are plain values


def test_an_object_like_a_geodataframe_and_colours(base, scene):
    frame = Frame(SHAPES, CRS.from_string(UTM), kind=["pool", "court"])
    model = base.adapt(
        frame, "imprinting", {"pool": "#123456"}, images=[scene], attribute="kind", sure=None
    )
    assert [c.color for c in model.taxonomy.novel][1] == "#123456"
    assert model.provenance["vectors"]["labels"] == "the Frame"
    assert model.predict(IMAGE.transpose(1, 2, 0)).shape == (70, 100)


def test_one_class_that_nothing_is_said_against_is_told(base, scene, tmp_path):
    path = tmp_path / "one.gpkg"
    shapes = shapely.to_wkb(np.array([on_ground(Point(30, 30))], dtype=object))
    pyogrio.raw.write(
        path, shapes, [np.array(["well"], object)], ["class"], geometry_type="Point", crs=UTM
    )
    given = {"images": scene, "point_radius": 20}
    with pytest.warns(UserWarning, match="nothing says what 'well' is not"):
        base.adapt(path, sure=None, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        base.adapt(path, sure=0, ring=20, **given)


def test_what_the_frozen_head_is_sure_of_is_no_novel_class():
    class Windows:
        def unlabelled(self, index):
            return torch.tensor([[True, True, True, False]])

    head = LinearHead(torch.eye(3), torch.zeros(3))
    background, road, doubt = torch.eye(3)[0] * 9, torch.eye(3)[1] * 9, torch.eye(3)[1]
    features = torch.stack([background, road, doubt, road], dim=1)[:, None]
    labels = torch.tensor([[255, 255, 255, 3]])
    (sure,) = SureBase(Windows(), 0.9).labels([features], [labels], head)
    assert sure.tolist() == [[255, 0, 255, 3]]
    (all_base,) = SureBase(Windows(), 0.0).labels([features], [labels], head)
    assert all_base.tolist() == [[255, 0, 0, 3]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"support\.images has no value"),
        ({"images": "a.tif", "width": 3}, "there is no setting 'width'. With a layer go images"),
        ({"images": "a.tif", "crs": "utm"}, r"support\.crs is 'utm'"),
        ({"images": "a.tif", "areas_layer": "x"}, r"support\.areas, which has no value"),
        ({"images": "a.tif", "window": 0}, r"support\.window is 0"),
        ({"images": "a.tif", "scale": 3}, r"support\.scale is 3"),
    ],
)
def test_settings_that_cannot_be_are_told(base, options, words):
    with pytest.raises(ConfigError, match=words):
        base.adapt("labels.gpkg", **options)


def test_settings_of_a_layer_do_not_go_with_arrays(base):
    pair = (IMAGE.transpose(1, 2, 0), np.ones((70, 100), bool))
    with pytest.raises(ConfigError, match=r"images go.* but support is a dictionary of arrays"):
        base.adapt({"pool": [pair]}, images="a.tif")


def test_objects_of_known_classes_correct_the_network(base, scene, layer):
    labels = DrawnLabels(layer, scene, attribute="kind")
    assert labels.files() == [layer, scene]
    frame = Frame(SHAPES, UTM, **{"class": ["road", "pool"]})
    plain = Frame(SHAPES[1:], UTM, **{"class": ["pool"]})
    model, before = (base.adapt(f, images=scene) for f in (frame, plain))
    assert model.classes == ["background", "tree", "road", "pool"]
    drawn = np.s_[10:40, 10:40]
    image = IMAGE.transpose(1, 2, 0)
    road, without = (m.probabilities(image)[2][drawn].mean() for m in (model, before))
    assert road > without
    assert "the network knows road; these objects correct it" in str(model.provenance["vectors"])
    with pytest.raises(DataError, match="which the network knows already"):
        base.adapt(Frame(SHAPES, UTM, **{"class": ["road", "tree"]}), images=scene)
