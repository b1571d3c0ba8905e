"""Components of masks from elsewhere, pasted into maps."""

import numpy as np
import pytest
from PIL import Image
from tests.mapping.postprocess.pictures import save_mask, text_map

from terrashot.errors import DataError
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.paste_masks import PasteMasks

CAR = 5


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
    with pytest.raises(DataError, match=r"tile.png is 2 x 1 pixels, the tile 4 x 2 pixels"):
        mend(PasteMasks(folder, "car"), ids)

    def enlarge(mask):
        return mask.repeat(2, axis=0).repeat(2, axis=1)

    np.testing.assert_array_equal(
        mend(PasteMasks(folder, "car"), ids, fit=enlarge, size=(1, 2)), text_map("5511", "5511")
    )


def test_a_mask_of_a_padded_tile_is_cut_to_the_tile(mend, masks):
    """A tile of 2 x 3 pixels, resized to 4 x 6 and padded to 6 x 6: figures derived by hand."""
    folder = masks(["220022", "200222", "200200", "020002", "222222", "222222"])
    rule = PasteMasks(folder, "car", padded_side=6)
    # At the size of the padded tile the mask is taken as it is, without what is padding.
    enlarged = np.ones((4, 6), np.uint8)
    np.testing.assert_array_equal(
        mend(rule, enlarged, size=(2, 3)), text_map("551155", "511555", "511511", "151115")
    )
    # At the tile's own size OpenCV takes rows 0 and 2 and columns 0, 2 and 4 (x * 2).
    np.testing.assert_array_equal(mend(rule, np.ones((2, 3), np.uint8)), text_map("515", "511"))
    with pytest.raises(DataError, match=r"tile.png is 6 x 6 pixels, the tile 3 x 2 pixels"):
        mend(PasteMasks(folder, "car"), np.ones((2, 3), np.uint8))


def test_the_tile_of_406_x_439_pixels_is_the_upper_left_947_x_1024_of_its_mask(mend, tmp_path):
    mask = np.zeros((1024, 1024), np.uint8)
    mask[900:, 1000:] = 1  # rows from 947 on are padding
    Image.fromarray(mask).save(tmp_path / "tile.png")
    rule = PasteMasks(str(tmp_path), "car", padded_side=1024)
    found = mend(rule, np.ones((947, 1024), np.uint8), size=(406, 439))
    assert (found == CAR).sum() == 47 * 24
    # At its own size: the first row is the first y with floor(y * 947 / 406) >= 900.
    found = mend(rule, np.ones((406, 439), np.uint8))
    rows, columns = np.nonzero(found == CAR)
    assert (rows.min(), columns.min()) == (386, 429)


def test_sizes_of_masks_are_checked_before_a_run(taxonomy, tmp_path):
    save_mask(tmp_path, "a", 8, 8)
    save_mask(tmp_path, "b", 6, 8)
    save_mask(tmp_path, "c", 5, 5)
    tiles = {"a": [(6, 8)], "b": [(6, 8)], "c": [(3, 4), (5, 5)]}
    PostProcess({"a": PasteMasks(str(tmp_path), "car", padded_side=8)}).check(taxonomy, tiles)
    said = r"1 of 3 masks .* a.png is 8 x 8 pixels, the tile 8 x 6 pixels.*padded_side"
    with pytest.raises(DataError, match=said):
        PostProcess({"a": PasteMasks(str(tmp_path), "car")}).check(taxonomy, tiles)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.png"):
        PostProcess({"a": PasteMasks(str(tmp_path), "car")}).check(taxonomy, tiles)
