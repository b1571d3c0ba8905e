import copy

import numpy as np
import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.losses.ce_dice import CrossEntropyDice
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.losses.focal import Focal
from terrashot.reporting.panels import IGNORED, Panel, error_map
from terrashot.taxonomy import IGNORE, Taxonomy

PLAIN = {
    "name": "town",
    "background": {"name": "none", "color": "#000000"},
    "base": [{"name": "tree", "color": "#226126"}, {"name": "road", "color": "#FFffff"}],
    "novel": [{"name": "car", "color": "#ffd500"}],
}


def test_ids_follow_the_order_and_plain_values_come_back():
    taxonomy = Taxonomy.from_dict(PLAIN)
    assert taxonomy.names == ["none", "tree", "road", "car"]
    assert (taxonomy.num_base, taxonomy.num_novel, taxonomy.num_classes) == (3, 1, 4)
    assert (taxonomy.base_ids, taxonomy.novel_ids) == ([1, 2], [3])
    assert taxonomy.to_dict() == PLAIN
    assert taxonomy.base_only().names == ["none", "tree", "road"]


def test_the_palette_holds_each_colour_at_its_id():
    palette = Taxonomy.from_dict(PLAIN).palette()
    assert palette[1].tolist() == [0x22, 0x61, 0x26]
    assert palette[2].tolist() == [255, 255, 255]
    assert palette[255].tolist() == [128, 128, 128]


def test_names_alone_make_a_taxonomy_with_free_colours_and_a_background():
    short = Taxonomy.from_dict({"base": ["tree", {"name": "road", "color": "#e31a1c"}, "hall"]})
    assert short.names == ["background", "tree", "road", "hall"]
    assert short.base[1].color == "#e31a1c"
    assert len({c.color for c in short.classes}) == 4
    assert Taxonomy.from_dict(short.to_dict()) == short


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": []}, "no base class"),
        ({"base": [{"name": "car", "color": "#000001"}]}, "stand twice"),
        ({"base": [{"color": "#000001"}]}, "class 1"),
        ({"novel": [None]}, "class 3"),
        ({"novel": [{"name": "car", "color": "red"}]}, "#rrggbb"),
        ({"novel": [{"name": f"c{i}", "color": "#000001"} for i in range(253)]}, "256 classes"),
    ],
)
def test_a_wrong_taxonomy_is_named(change, said):
    value = {**copy.deepcopy(PLAIN), **change}
    with pytest.raises(ConfigError, match=said):
        Taxonomy.from_dict(value)


def test_g2_the_label_of_ignored_pixels_is_255_and_no_other():
    old = Taxonomy.from_dict({**PLAIN, "ignore_index": 255})
    assert old == Taxonomy.from_dict(PLAIN)
    assert "ignore_index" not in old.to_dict()
    for other in (2, 0, 254):
        with pytest.raises(
            ConfigError, match=rf"ignore_index is {other}.*\[label == {other}\] = 255"
        ):
            Taxonomy.from_dict({**PLAIN, "ignore_index": other})


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropyDice(), Focal()])
def test_g2_losses_ignore_255(loss):
    logits = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    target = torch.arange(60).reshape(2, 5, 6) % 4
    target[:, :2] = IGNORE
    moved = logits.clone()
    moved[:, :, :2] += torch.arange(4.0)[:, None, None]
    assert torch.equal(loss(logits, target), loss(moved, target))
    target[:, :2] = 1
    assert not torch.equal(loss(logits, target), loss(moved, target))


def test_g2_pictures_show_255_as_unlabelled():
    truth = np.array([[1, IGNORE], [2, 1]], np.uint8)
    panel = Panel("tile", np.full((2, 2, 3), 40, np.uint8), truth, np.ones((2, 2), np.uint8))
    assert IGNORE == 255
    assert np.array_equal((error_map(panel) == IGNORED).all(axis=-1), truth == 255)
    assert (Taxonomy.from_dict(PLAIN).palette()[truth] == IGNORED).all(-1).sum() == 1
