import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from tests.mapping.postprocess.pictures import save_mask, text_map

from terrashot.errors import ConfigError, DataError
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.containing import Containing
from terrashot.mapping.postprocess.fill_holes import FillHoles
from terrashot.mapping.postprocess.minimum_size import MinimumSize
from terrashot.mapping.postprocess.paste_masks import PasteMasks
from terrashot.mapping.postprocess.rule import Draft
from terrashot.mapping.postprocess.touching import Touching

TREE, WATER, BUILDING, PARKING, CAR = range(1, 6)


def sizes(ids):
    found = []
    for value in np.unique(ids[ids != 255]):
        labels, _ = ndimage.label(ids == value)
        found += np.bincount(labels.reshape(-1))[1:].tolist()
    return found


@pytest.mark.parametrize("side", [3, 8, 64])
@pytest.mark.parametrize(
    "rule",
    [
        MinimumSize(30),
        MinimumSize(12, ["parking", "tree"]),
        FillHoles(),
        FillHoles(["tree", "water"], max_pixels=40),
        Touching(["parking", "car"], ["water"]),
        Touching(["tree"], ["building"], "background"),
        Touching(["tree"], []),
        Containing(["parking", "tree"], ["water"], "earlier", diagonal=True),
    ],
    ids=["size", "size of two", "holes", "small holes", "touching", "named", "removed", "inside"],
)
def test_blocks_on_disk_give_the_map_of_one_look_at_the_whole(mend, wild_map, tmp_path, rule, side):
    if side < 64:  # so small that nearly every area crosses borders
        wild_map = wild_map[32 : 44 + 8 * side, 88 : 106 + 8 * side]
    whole = mend(rule, wild_map)
    assert (whole != wild_map).any()
    np.testing.assert_array_equal(mend(rule, wild_map, side=side, folder=tmp_path), whole)
    np.testing.assert_array_equal(whole == 255, wild_map == 255)


def test_pasting_in_blocks_gives_the_map_of_one_look_at_the_whole(mend, wild_map, tmp_path):
    mask = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(wild_map.shape), 3) > 0
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "tile.png")
    share = {"agreement_above": 0.05, "min_pixels": 5, "max_pixels": 2000}
    rule = PasteMasks(str(tmp_path), "car", **share, diagonal=True)
    whole = mend(rule, wild_map)
    assert (whole != wild_map).any()
    np.testing.assert_array_equal(mend(rule, wild_map, side=11, folder=tmp_path), whole)
    np.testing.assert_array_equal(whole == 255, wild_map == 255)


def test_no_area_stays_below_the_minimum_size(mend, wild_map):
    wild_map = np.where(wild_map == 255, 0, wild_map).astype(np.uint8)
    assert min(sizes(wild_map)) == 1
    mended = mend(MinimumSize(50), wild_map)
    assert min(sizes(mended)) >= 50
    # Areas that were large enough are still there, whole.
    for value in range(6):
        labels, _ = ndimage.label(wild_map == value)
        large = np.bincount(labels.reshape(-1)) >= 50
        large[0] = False
        assert (mended[large[labels]] == value).all()


def test_a_small_area_goes_to_the_class_with_the_longest_common_border(mend):
    ids = text_map("111222", "113322", "111222")
    # The small area shares three edges with either class; among equals the lower id wins.
    np.testing.assert_array_equal(mend(MinimumSize(3), ids), text_map("111222", "111122", "111222"))
    ids = text_map("112222", "113322", "112222")
    np.testing.assert_array_equal(mend(MinimumSize(3), ids), text_map("112222", "112222", "112222"))


def test_small_areas_among_small_ones_are_absorbed_from_outside_in(mend):
    ids = text_map("111111", "134351", "155431", "134551", "111111")
    assert (mend(MinimumSize(5), ids) == 1).all()


def test_an_island_in_nodata_stays(mend):
    ids = text_map("11xxx", "11x3x", "11xxx")
    np.testing.assert_array_equal(mend(MinimumSize(5), ids), ids)


def test_holes_of_several_classes_are_filled_and_bays_are_not(mend):
    ids = text_map("3333333", "3124332", "3333332", "3113333", "3113x33", "3333333")
    mended = mend(FillHoles(["building"]), ids)
    np.testing.assert_array_equal(
        mended, text_map("3333333", "3333332", "3333332", "3333333", "3333x33", "3333333")
    )
    mended = mend(FillHoles(["building"], max_pixels=3), ids)
    np.testing.assert_array_equal(
        mended, text_map("3333333", "3333332", "3333332", "3113333", "3113x33", "3333333")
    )


def test_a_class_stays_only_where_it_touches_another(mend):
    ids = text_map("1111111", "1441441", "1541441", "1111111", "2222244")
    np.testing.assert_array_equal(
        mend(Touching(["parking"], ["car"], "background"), ids),
        text_map("1111111", "1441001", "1541001", "1111111", "2222200"),
    )
    np.testing.assert_array_equal(
        mend(Touching(["parking"], ["car"]), ids),
        text_map("1111111", "1441111", "1541111", "1111111", "2222211"),
    )


def test_a_class_stays_only_where_another_lies_inside_its_earlier_area(mend):
    """Parking of ClassTrans: derived by hand for a vehicle inside, across, beside, and none."""
    before = text_map("1444111", "1444144", "1444144", "1111111", "4411441", "1144111")
    # Pasted: one vehicle cuts the first area in two, one stands right below the second.
    pasted = text_map("1454111", "1454144", "1454144", "1111151", "4411441", "1144111")
    rule = Containing(["parking"], ["car"], "vehicle", "background")
    np.testing.assert_array_equal(
        mend(rule, pasted, before={"vehicle": before}),
        text_map("1454111", "1454100", "1454100", "1111151", "0011001", "1100111"),
    )
    # A vehicle in one of two parts that share a corner alone is inside only diagonally.
    pasted[4, 0] = CAR
    rules = (rule, Containing(["parking"], ["car"], "vehicle", "background", diagonal=True))
    ends = (text_map("5411001", "1100111"), text_map("5411441", "1144111"))
    for each, end in zip(rules, ends, strict=True):
        found = mend(each, pasted, before={"vehicle": before})
        np.testing.assert_array_equal(found[4:], end)


def test_a_rule_looks_back_to_one_that_comes_before_it(mend, taxonomy):
    ids = text_map("44411", "44411", "11111")
    rules = {"grown": MinimumSize(9), "inside": Containing(["parking"], ["tree"], "grown")}
    draft = Draft("tile", BlockMap.of(ids), taxonomy)
    *_, last = PostProcess(rules).run(draft)
    np.testing.assert_array_equal(last.array(), np.ones_like(ids))
    np.testing.assert_array_equal(draft.before["grown"].array(), ids)
    with pytest.raises(ConfigError, match=r"inside\.before is 'grown'.* before 'inside': none"):
        PostProcess(dict(reversed(rules.items())))


def test_removed_classes_give_way_to_each_pixels_next_best(mend):
    ids = text_map("4451", "4451")
    probabilities = np.zeros((6, 2, 4))
    probabilities[4], probabilities[5], probabilities[2], probabilities[1, :, 0] = (
        0.5,
        0.3,
        0.1,
        0.2,
    )

    def scores(left_out):
        kept = probabilities.copy()
        kept[list(left_out)] = -1
        return kept.argmax(axis=0).astype(np.uint8)

    rule = Touching(["parking", "car"], [], "second_best")
    np.testing.assert_array_equal(mend(rule, ids, scores=scores), text_map("1221", "1221"))


def test_what_cannot_work_is_found_before_a_run(taxonomy, tmp_path):
    save_mask(tmp_path, "a", 4, 4)
    paste, both = PasteMasks(str(tmp_path), "car"), {"a": [(4, 4)], "b": [(4, 4)]}
    PostProcess({"a": paste}).check(taxonomy, {"a": [(4, 4)]})
    for rule, tiles, said in [
        (MinimumSize(5, ["forest"]), {}, "minimum_size.classes names the class 'forest'"),
        (Touching(["car"], [], "forest"), {}, "touching.otherwise"),
        (Touching(["car"], [], "second_best"), {}, "second_best, but whole scenes"),
        (paste, both, "for 1 of 2 tiles: b"),
        (PasteMasks(str(tmp_path / "none"), "car"), {}, "does not exist"),
    ]:
        with pytest.raises((ConfigError, DataError), match=said):
            PostProcess({"a": rule}).check(taxonomy, tiles, scores=False)
    for build, said in [
        (lambda: PostProcess({}), "rules is empty"),
        (lambda: MinimumSize(0), "at least 1"),
        (lambda: Touching([], ["car"]), "lists of class names"),
        (lambda: PasteMasks("x", "car", agreement_above=2), "share from 0 to 1"),
        (lambda: PasteMasks("x", "car", padded_side=0), "padded_side"),
        (lambda: Containing(["car"], [], "x"), "at least one class name"),
        (lambda: PasteMasks("x", "car", except_on=["tree"]), "together"),
    ]:
        with pytest.raises(ConfigError, match=said):
            build()


def test_rules_are_applied_in_their_order(taxonomy):
    ids = text_map("11111", "14441", "14241", "14441", "11111")
    size, holes = MinimumSize(9), FillHoles(["parking"])
    outcomes = []
    for rules in ({"size": size, "holes": holes}, {"holes": holes, "size": size}):
        chain = PostProcess(rules)
        assert not chain.external_masks
        draft = Draft("tile", BlockMap.of(ids), taxonomy)
        outcomes.append([step.array().max() for step in chain.run(draft)])
    assert outcomes == [[1, 1], [4, 4]]
    assert PostProcess({"masks": PasteMasks("x", "car")}).external_masks
