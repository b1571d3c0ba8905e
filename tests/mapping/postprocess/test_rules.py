import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from terrashot.errors import ConfigError, DataError
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.chain import PostProcess
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


def text_map(*rows):
    return np.array([[255 if c == "x" else int(c) for c in row] for row in rows], dtype=np.uint8)


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
    ],
    ids=["size", "size of two", "holes", "small holes", "touching", "named", "removed"],
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
    rule = PasteMasks(str(tmp_path), "car", agreement_above=0.05, min_pixels=5, max_pixels=2000)
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


@pytest.fixture
def masks(tmp_path):
    def save(rows, suffix="png"):
        Image.fromarray(text_map(*rows)).save(tmp_path / f"tile.{suffix}")
        return str(tmp_path)

    return save


def test_components_of_a_mask_are_pasted_where_the_map_agrees(mend, masks):
    ids = text_map("111111", "151111", "111333", "111333")
    folder = masks(["220022", "220022", "000000", "000222"])
    np.testing.assert_array_equal(
        mend(PasteMasks(folder, "car"), ids), text_map("551155", "551155", "111333", "111555")
    )
    np.testing.assert_array_equal(
        mend(PasteMasks(folder, "car", agreement_above=0), ids),
        text_map("551111", "551111", "111333", "111333"),
    )
    assert (mend(PasteMasks(folder, "car", agreement_above=0.25), ids) == ids).all()
    np.testing.assert_array_equal(
        mend(PasteMasks(folder, "car", except_on=["building"], except_from=0.9), ids),
        text_map("551155", "551155", "111333", "111333"),
    )
    rule = PasteMasks(
        folder, "car", except_on=["building"], except_from=1, except_class="background"
    )
    np.testing.assert_array_equal(mend(rule, ids), text_map("551155", "551155", "111333", "111000"))
    np.testing.assert_array_equal(
        mend(PasteMasks(folder, "car", max_pixels=3), ids),
        text_map("111111", "151111", "111333", "111555"),
    )
    assert (mend(PasteMasks(folder, "car", value=3), ids) == ids).all()


def test_a_mask_of_another_size_is_fitted_or_refused(mend, masks):
    ids = text_map("1111", "1111")
    folder = masks(["20"])
    with pytest.raises(DataError, match=r"2 x 1 pixels, but 'tile'.* is 4 x 2"):
        mend(PasteMasks(folder, "car"), ids)

    def enlarge(mask):
        return mask.repeat(2, axis=0).repeat(2, axis=1)

    np.testing.assert_array_equal(
        mend(PasteMasks(folder, "car"), ids, fit=enlarge), text_map("5511", "5511")
    )


def test_what_cannot_work_is_found_before_a_run(taxonomy, tmp_path):
    (tmp_path / "a.png").touch()
    paste = PasteMasks(str(tmp_path), "car")
    PostProcess({"a": paste}).check(taxonomy, ["a"])
    for rule, tiles, said in [
        (MinimumSize(5, ["forest"]), [], "minimum_size.classes names the class 'forest'"),
        (Touching(["car"], [], "forest"), [], "touching.otherwise"),
        (Touching(["car"], [], "second_best"), [], "second_best, but whole scenes"),
        (paste, ["a", "b"], "for 1 of 2 tiles: b"),
        (PasteMasks(str(tmp_path / "none"), "car"), [], "does not exist"),
    ]:
        with pytest.raises((ConfigError, DataError), match=said):
            PostProcess({"a": rule}).check(taxonomy, tiles, scores=False)
    for build, said in [
        (lambda: PostProcess({}), "rules is empty"),
        (lambda: MinimumSize(0), "at least 1"),
        (lambda: Touching([], ["car"]), "lists of class names"),
        (lambda: PasteMasks("x", "car", agreement_above=2), "share from 0 to 1"),
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
