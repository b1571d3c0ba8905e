import numpy as np
import pytest
from PIL import Image

from terrashot.reporting.class_map import load_class_map, save_class_map, shrunk_map
from terrashot.reporting.panels import Panel
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#226126"}],
        "novel": [{"name": "pool", "color": "#00e6d2"}],
    }
)


@pytest.mark.parametrize("shape", [(40, 64), (100, 30), (7, 1)])
def test_ids_come_back_exactly_and_show_the_colours_of_the_classes(tmp_path, shape):
    ids = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    save_class_map(tmp_path / "map.png", ids, TAXONOMY, side=128)
    assert np.array_equal(load_class_map(tmp_path / "map.png"), ids)
    colours = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
    assert np.array_equal(colours, TAXONOMY.palette()[ids])


def test_a_large_map_shrinks_on_the_same_grid_as_its_panel(tmp_path):
    ids = np.random.default_rng(0).integers(0, 3, (300, 701)).astype(np.uint8)
    save_class_map(tmp_path / "map.png", ids, TAXONOMY, side=128)
    panel = Panel("x", np.zeros((300, 701, 3), np.uint8), ids, ids).shrunk(128)
    found = load_class_map(tmp_path / "map.png")
    assert max(found.shape) == 128
    assert np.array_equal(found, panel.truth)
    assert np.array_equal(found, shrunk_map(ids, 128))


def test_a_picture_of_another_kind_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "map.png")
    with pytest.raises(OSError, match="palette"):
        load_class_map(tmp_path / "map.png")
