"""Nothing that a mapping run writes replaces what it reads, what it writes, or what others made."""

import json
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.vrt import write_vrt

from terrashot.errors import ConfigError
from terrashot.mapping.blending import Layers
from terrashot.mapping.checks import check_scenes
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.paste_masks import PasteMasks
from terrashot.mapping.products import ProductOptions
from terrashot.mapping.request import MapRequest, WindowOptions
from terrashot.mapping.scene_products import SceneProducts

EVERYTHING = ProductOptions(style=True, areas=True, polygons=True)
BARE = ProductOptions(style=False, areas=False, polygons=False)


@pytest.fixture
def scene(write_raster, tmp_path):
    def write(name):
        pixels = np.full((3, 40, 40), 9, np.uint8)
        if not name.endswith(".png"):
            return write_raster(name, pixels)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path)
        return path

    return write


@pytest.fixture
def request_of(color_model, tmp_path):
    """A request for the maps of some scenes in a folder, ``maps`` unless named."""

    def make(value, folder="maps", options=EVERYTHING, layers=None, rules=None, **further):
        return MapRequest(
            model=color_model,
            name="adapted.ckpt",
            digest="0" * 64,
            scenes=[s for v in np.atleast_1d(value) for s in check_scenes(str(v))],
            output=tmp_path / folder,
            layers=layers or Layers(),
            options=WindowOptions(),
            products=SceneProducts(color_model.taxonomy, options, picture=True, rules=rules),
            **further,
        )

    return make


def refused(request, *said):
    """The request is refused, by a paragraph that says all this, and has made nothing."""
    before = sorted(request.output.rglob("*"))
    with pytest.raises(ConfigError) as error:
        request.check()
    for part in said:
        assert str(part) in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(request.output.rglob("*")) == before


# Inputs


def test_a_scene_that_is_a_link_into_the_output_folder_is_not_replaced(scene, request_of, tmp_path):
    kept = scene("archive/city.tif")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/city.tif").symlink_to(kept)
    refused(request_of(tmp_path / "in", "archive"), kept, tmp_path / "in/city.tif", "Name another")


def test_a_chain_of_links_through_the_output_folder_is_followed(scene, request_of, tmp_path):
    kept = scene("archive/city.tif")
    for folder, target in (("maps", kept), ("in", tmp_path / "maps/city.tif")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "city.tif").symlink_to(target)
    refused(request_of(tmp_path / "in"), "replace what it is made of")


def test_a_hard_link_of_a_scene_is_the_scene(scene, request_of, tmp_path):
    kept = scene("in/city.tif")
    (tmp_path / "maps").mkdir()
    os.link(kept, tmp_path / "maps/city.tif")
    refused(request_of(kept), tmp_path / "maps/city.tif", kept)


def test_a_link_to_the_folder_of_the_scenes_is_that_folder(scene, request_of, tmp_path):
    kept = scene("in/city.tif")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "in", target_is_directory=True)
    refused(request_of(kept, "elsewhere"), "elsewhere/city.tif", kept)


def test_the_source_of_a_vrt_is_not_replaced(scene, request_of, tmp_path):
    kept = scene("tiles/city.tif")
    (tmp_path / "v").mkdir()
    path = write_vrt(tmp_path / "v/city.vrt", ("../tiles/city.tif", 40, 40))
    refused(request_of(path, "tiles"), kept)


def test_a_source_of_a_vrt_inside_a_vrt_is_not_replaced(scene, request_of, tmp_path):
    scene("tiles/city.tif")
    (tmp_path / "v").mkdir()
    write_vrt(tmp_path / "v/inner.vrt", ("../tiles/city.tif", 40, 40))
    path = write_vrt(tmp_path / "v/city.vrt", ("inner.vrt", 40, 40))
    refused(request_of(path, "tiles"), tmp_path / "tiles/city.tif")


def test_a_source_that_is_the_picture_of_another_scene_is_not_replaced(scene, request_of, tmp_path):
    scene("tiles/city.png")
    (tmp_path / "v").mkdir()
    path = write_vrt(tmp_path / "v/mosaic.vrt", ("../tiles/city.png", 40, 40))
    other = scene("in/city.tif")
    refused(request_of([path, other], "tiles"), "city")


def test_a_map_beside_a_scene_of_another_suffix_would_count_as_its_part(scene, request_of):
    kept = scene("in/city.png")
    refused(request_of(kept, "in"), kept, "under the same name")


def test_a_side_file_of_a_scene_is_not_replaced(scene, request_of, tmp_path):
    kept = scene("in/city.tif")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/city.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    (tmp_path / "in/city.tif.aux.xml").symlink_to(tmp_path / "maps/city.tif.aux.xml")
    refused(request_of(kept), tmp_path / "in/city.tif.aux.xml")


def test_an_external_mask_is_not_replaced_by_the_map_that_it_is_pasted_into(
    scene, request_of, write_raster
):
    mask = write_raster("masks/city.tif", np.ones((1, 40, 40), np.uint8))
    rules = PostProcess({"pools": PasteMasks(str(mask.parent), "pool")})
    refused(request_of(scene("in/city.tif"), "masks", rules=rules), mask)


def test_the_file_of_the_model_is_not_replaced(scene, request_of, tmp_path):
    model = tmp_path / "maps/city.tif"  # whatever its suffix
    model.parent.mkdir()
    model.touch()
    refused(request_of(scene("in/city.tif"), files=[model]), model, "reads")


def test_a_source_among_the_unfinished_rows_of_the_folder_is_not_cleared_away(
    scene, request_of, tmp_path
):
    kept = scene("maps/.mapping/city/city.tif")
    refused(request_of(kept), kept, ".mapping", "Move it")


def test_a_vrt_of_tiles_of_other_names_may_be_mapped_beside_them(scene, request_of, tmp_path):
    scene("tiles/t1.tif")
    path = write_vrt(tmp_path / "city.vrt", ("tiles/t1.tif", 40, 40))
    request_of(path, "tiles").check()


# Each other


@pytest.mark.parametrize(
    ("suffix", "layers"),
    [("confidence", Layers(confidence=True)), ("probabilities", Layers(probabilities=(1,)))],
)
def test_a_scene_named_like_a_raster_of_another_one_is_refused(
    scene, request_of, tmp_path, suffix, layers
):
    files = [scene("in/city.tif"), scene(f"in/city_{suffix}.tif")]
    refused(request_of(tmp_path / "in", layers=layers), *files, f"city_{suffix}.tif", "Rename")
    request_of(tmp_path / "in").check()  # without that raster there is room for both


def test_a_scene_named_like_the_polygons_of_another_one_is_refused(scene, request_of, tmp_path):
    scene("in/city.tif"), scene("in/city_polygons.tif")
    refused(request_of(tmp_path / "in"), "city_polygons.qml")
    request_of(tmp_path / "in", options=BARE).check()


def test_names_that_differ_in_case_alone_are_refused(scene, request_of, tmp_path):
    files = [scene("in/city.tif"), scene("in/City.tif")]
    refused(request_of(tmp_path / "in"), *files, "upper")


def test_names_in_two_unicode_forms_are_refused(scene, request_of, tmp_path):
    files = [scene(f"in/{unicodedata.normalize(form, 'scène')}.tif") for form in ("NFC", "NFD")]
    refused(request_of(tmp_path / "in"), *files, "accents")


def test_a_scene_whose_rows_would_lie_where_the_note_of_another_one_lies_is_refused(
    scene, request_of, tmp_path
):
    scene("in/city.tif"), scene("in/city.json.tif")
    refused(request_of(tmp_path / "in"), ".mapping/city.json")


# What is there already


@pytest.mark.parametrize(
    "name",
    ["city.tif", "city.qml", "city.png", "city_areas.csv", "city_polygons.gpkg",
     "city_polygons.qml", "city.tif.aux.xml"],
)  # fmt: skip
def test_a_file_that_no_run_has_made_is_not_replaced(scene, request_of, tmp_path, name):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / name).write_text("mine")
    refused(request_of(scene("in/city.tif")), tmp_path / "maps" / name, "no mapping run")
    assert (tmp_path / "maps" / name).read_text() == "mine"


def test_a_link_to_nothing_is_a_file_of_somebody_too(scene, request_of, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/city.qml").symlink_to(tmp_path / "not mounted")
    refused(request_of(scene("in/city.tif")), "city.qml")


def test_a_style_of_ones_own_stays_where_no_style_is_asked_for(scene, request_of, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/city.qml").write_text("mine")
    request_of(scene("in/city.tif"), options=BARE).check()


def finished(request):
    """What a run leaves: files of each scene, and the ledger's note."""
    ledger = Ledger(request.output)
    request.begin(ledger, [])
    for scene in request.scenes:
        stem = scene.path.stem
        names = [name for name, owner in ledger.owners().items() if owner == stem]
        files = [request.output / name for name in names]
        for file in files:
            file.write_text("of a run")
        ledger.finish(stem, "digest", files, {"scene": str(scene.path)})
    return ledger


def test_files_of_an_earlier_run_are_replaced_whatever_its_settings(scene, request_of):
    path = scene("in/city.tif")
    finished(request_of(path, layers=Layers(confidence=True)))
    request_of(path, layers=Layers(confidence=True)).check()
    request_of(path).check()


def test_files_of_a_run_that_was_killed_before_it_noted_its_map_are_its_own(scene, request_of):
    request = request_of(scene("in/city.tif"))
    request.check()
    request.begin(Ledger(request.output), [])
    (request.output / "city.tif").write_text("whole, but not noted")
    request.check()


def test_files_of_a_folder_that_knows_its_maps_by_their_notes_alone_are_its_own(scene, request_of):
    request = request_of(scene("in/city.tif"), layers=Layers(confidence=True))
    ledger = finished(request)
    (request.output / ".mapping.json").unlink()
    note = ledger.folder / "city.json"
    content = json.loads(note.read_text())
    content["files"].remove("city_confidence.tif.aux.xml")  # a viewer's, beside a raster of ours
    note.write_text(json.dumps(content))
    request.check()


def test_a_raster_of_another_scene_of_an_earlier_run_is_not_replaced(scene, request_of):
    finished(request_of(scene("in/city.tif"), layers=Layers(confidence=True)))
    refused(request_of(scene("in/city_confidence.tif")), "city_confidence.tif", "the scene city.")


def test_the_map_of_another_scene_of_that_name_is_not_replaced(scene, request_of):
    finished(request_of(scene("y2023/city.tif")))
    later = scene("y2024/city.tif")
    refused(request_of(later), later, "y2023/city.tif", "remove")
    request = request_of(later)
    (request.output / "city.tif").unlink()
    request.check()


def test_a_map_loses_its_old_rasters_but_not_those_that_are_another_scenes_now(scene, request_of):
    ledger = finished(request_of(scene("in/city.tif"), layers=Layers(confidence=True)))
    raster = ledger.output / "city_confidence.tif"
    for file in (raster, ledger.output / "city_confidence.tif.aux.xml"):
        file.unlink()
    both = request_of([scene("in/city.tif"), scene("in/city_confidence.tif")])
    both.check()
    both.begin(ledger, [])
    raster.write_text("the map of city_confidence")
    ledger.finish("city", "other", [ledger.output / "city.tif"], {})
    assert raster.is_file()
    assert not (ledger.output / "city.qml").exists()
