import copy

import pytest

from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy

PLAIN = {
    "name": "town",
    "ignore_index": 255,
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": []}, "no base class"),
        ({"base": [{"name": "car", "color": "#000001"}]}, "stand twice"),
        ({"background": None}, "class 0"),
        ({"novel": [{"name": "car", "color": "red"}]}, "#rrggbb"),
        ({"ignore_index": 2}, "ignore_index is 2"),
    ],
)
def test_a_wrong_taxonomy_is_named(change, said):
    value = {**copy.deepcopy(PLAIN), **change}
    with pytest.raises(ConfigError, match=said):
        Taxonomy.from_dict(value)
