import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from rasterio.transform import from_origin

from terrashot.data.transforms import EvalTransform
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.fill_holes import FillHoles
from terrashot.mapping.postprocess.paste_masks import PasteMasks
from terrashot.mapping.postprocess.touching import Touching
from terrashot.tasks.query_maps import QueryMaps
from terrashot.taxonomy import Taxonomy

PLACE = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 0.5, 0.5)}


@pytest.fixture
def taxonomy():
    rows = [{"name": name, "color": "#123456"} for name in ("background", "tree", "car")]
    return Taxonomy.from_dict({"background": rows[0], "base": rows[1:2], "novel": rows[2:]})


@pytest.fixture
def tile(tmp_path):
    """A tile of 6 x 10 pixels; evaluated at 20, it is 12 x 20 and padded below."""
    path = tmp_path / "tile.tif"
    profile = {"driver": "GTiff", "height": 6, "width": 10, "count": 3, "dtype": "uint8", **PLACE}
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.ones((3, 6, 10), np.uint8))
    return path


def test_a_map_of_another_size_is_kept_at_that_of_its_tile_where_it_lies(taxonomy, tile, tmp_path):
    own = np.arange(60, dtype=np.uint8).reshape(6, 10) % 3
    mapped = np.full((20, 20), 2, np.uint8)
    mapped[:12] = own.repeat(2, axis=0).repeat(2, axis=1)
    maps = QueryMaps(taxonomy, EvalTransform(20), folder=tmp_path / "maps")
    maps.save("a tile", tile, torch.from_numpy(mapped))
    with rasterio.open(tmp_path / "maps" / "a_tile.tif") as found:
        np.testing.assert_array_equal(found.read(1), own)
        assert found.crs.to_epsg() == 32633
        assert found.transform == PLACE["transform"]
        assert (found.nodata, found.colormap(1)[1]) == (255, (0x12, 0x34, 0x56, 255))


def test_masks_follow_the_tile_to_the_size_it_is_mapped_at(taxonomy, tile, tmp_path):
    mask = np.zeros((6, 10), np.uint8)
    mask[5, 8:] = 255
    Image.fromarray(mask).save(tmp_path / "tile.png")
    rules = PostProcess({"paste": PasteMasks(str(tmp_path), "car")})
    maps = QueryMaps(taxonomy, EvalTransform(20), rules)
    (pasted,) = maps.after_rules("tile", tile, torch.ones(20, 20, dtype=torch.uint8), None)
    expected = torch.ones(20, 20, dtype=torch.uint8)
    expected[10:12, 16:20] = 2
    assert torch.equal(pasted, expected)


def test_rules_do_not_look_at_padding(taxonomy, tile):
    mapped = torch.ones(20, 20, dtype=torch.uint8)
    mapped[10:12, 4:8] = 2  # at the tile's end: no hole, whatever was predicted below
    maps = QueryMaps(taxonomy, EvalTransform(20), PostProcess({"holes": FillHoles()}))
    (filled,) = maps.after_rules("tile", tile, mapped, None)
    assert torch.equal(filled, mapped)


def test_the_second_best_class_is_that_of_the_probabilities(taxonomy, tile):
    probabilities = torch.zeros(3, 6, 10)
    probabilities[2], probabilities[0], probabilities[1, :, 5:] = 0.6, 0.1, 0.3
    rules = PostProcess({"none": Touching(["car"], [], "second_best")})
    maps = QueryMaps(taxonomy, EvalTransform(), rules)
    assert maps.needs_scores
    predicted = probabilities.argmax(dim=0).to(torch.uint8)
    (without,) = maps.after_rules("tile", tile, predicted, probabilities)
    assert torch.equal(without, (torch.arange(10) >= 5).expand(6, 10).to(torch.uint8))
