"""Other people's labels: numbers and colours that stand for classes."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import FewShotLayout
from terrashot.data.reading import read_label
from terrashot.data.statistics import label_counts
from terrashot.data.tiles import TileDataset
from terrashot.errors import ConfigError, DataError

MAP = {"map": {21: "wood", 22: "road", 7: "parking", 0: "background", -1: "ignore"}}
COLORS = {"colours": {"#00ff00": "wood", "ff0000": "road"}, "other": "background"}


def write(path, array, dtype):
    bands = array if array.ndim == 3 else array[None]
    with rasterio.open(
        path, "w", driver="GTiff", count=len(bands), height=bands.shape[1], width=bands.shape[2],
        dtype=dtype,
    ) as file:  # fmt: skip
        file.write(bands.astype(dtype))
    return path


def test_numbers_of_any_size_become_ids(tmp_path, taxonomy):
    codes = LabelCodes.of(MAP, taxonomy)
    path = write(tmp_path / "a.tif", np.array([[21, 22, 7], [0, -1, 21]]), "int16")
    assert read_label(path, codes=codes).tolist() == [[1, 3, 4], [0, 255, 1]]


def test_a_number_that_is_not_named_is_an_error_unless_it_is_said_what_others_are(
    tmp_path, taxonomy
):
    path = write(tmp_path / "a.tif", np.array([[21, 99, 99]]), "int32")
    with pytest.raises(DataError, match=r"a\.tif holds 99 \(2 pixels\).*labels\.map does not name"):
        read_label(path, codes=LabelCodes.of(MAP, taxonomy))
    codes = LabelCodes.of({**MAP, "other": "ignore"}, taxonomy)
    assert read_label(path, codes=codes).tolist() == [[1, 255, 255]]


def test_colours_of_three_bands_become_ids(tmp_path, taxonomy):
    colors = np.array([[[0, 255, 9]], [[255, 0, 9]], [[0, 0, 9]]])
    path = write(tmp_path / "a.tif", colors, "uint8")
    assert read_label(path, codes=LabelCodes.of(COLORS, taxonomy)).tolist() == [[1, 3, 0]]
    exact = LabelCodes.of({"colours": COLORS["colours"]}, taxonomy)
    with pytest.raises(DataError, match=r"a\.tif holds #090909 \(1 pixels\)"):
        read_label(path, codes=exact)


def test_colours_of_a_palette_become_ids(tmp_path, taxonomy):
    image = Image.fromarray(np.array([[5, 6, 7]], np.uint8), mode="P")
    image.putpalette([*[0] * 15, 0, 255, 0, 255, 0, 0, 1, 2, 3])
    image.save(tmp_path / "a.png")
    codes = LabelCodes.of(COLORS, taxonomy)
    assert read_label(tmp_path / "a.png", codes=codes).tolist() == [[1, 3, 0]]


def test_what_the_file_calls_no_data_is_ignored_unless_it_is_named(tmp_path, taxonomy):
    path = write(tmp_path / "a.tif", np.array([[21, -9999, 0]]), "int16")
    with rasterio.open(path, "r+") as file:
        file.nodata = -9999
    assert read_label(path, codes=LabelCodes.of(MAP, taxonomy)).tolist() == [[1, 255, 0]]
    named = {"map": {**MAP["map"], -9999: "road"}}
    assert read_label(path, codes=LabelCodes.of(named, taxonomy)).tolist() == [[1, 3, 0]]


def test_a_palette_of_16_bits_is_read_in_full(tmp_path, taxonomy):
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=1, width=3, dtype="uint16"
    ) as file:
        file.write(np.array([[[1, 2, 700]]], np.uint16))
        file.write_colormap(1, {1: (0, 255, 0, 255), 2: (255, 0, 0, 255), 700: (0, 255, 0, 255)})
    codes = LabelCodes.of({"colours": COLORS["colours"]}, taxonomy)
    assert read_label(path, codes=codes).tolist() == [[1, 3, 1]]


@pytest.mark.parametrize(
    ("value", "codes", "said"),
    [
        (np.zeros((3, 2, 2)), MAP, "labels.map is for labels of one band"),
        (np.zeros((2, 2)), COLORS, "labels.colours is for labels of three 8-bit bands"),
    ],
)
def test_a_file_of_the_other_form_is_named(tmp_path, taxonomy, value, codes, said):
    path = write(tmp_path / "a.tif", value, "uint8")
    with pytest.raises(DataError, match=said):
        read_label(path, codes=LabelCodes.of(codes, taxonomy))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"map": {1: "tree"}}, r"map\.1 is 'tree', but classes are background, wood"),
        ({"map": {"x": "wood"}}, "'x' is no code; a whole number"),
        ({"colours": {"red": "wood"}}, "'red' is no code; a colour"),
        ({"map": {1: "wood"}, "colours": {"#000000": "wood"}}, "It has map and colours"),
        ({"other": "ignore"}, "It has neither"),
        ({"mapp": {1: "wood"}}, "the key 'mapp'"),
        ({"map": {1: "wood"}, "other": "tree"}, "other is 'tree'"),
    ],
)
def test_a_wrong_table_is_named(taxonomy, value, said):
    with pytest.raises(ConfigError, match=said):
        LabelCodes.of(value, taxonomy)


def test_training_tiles_counts_and_support_follow_the_table(dataset, taxonomy):
    """The set's ids, multiplied by ten, read back by a table."""
    names = {10 * c.index: c.name for c in taxonomy.classes} | {255: "ignore"}
    plain = FewShotLayout(dataset, "test")
    before = TileDataset(plain.train, taxonomy)[1]["mask"]
    counted = label_counts(plain.train, taxonomy, dataset)
    for label in dataset.rglob("labels/*.tif"):
        with rasterio.open(label) as source:
            ids = source.read(1)
        write(label, np.where(ids == 255, 255, ids * 10), "uint8")
    codes = LabelCodes.of({"map": names}, taxonomy)
    layout = FewShotLayout(dataset, "test", codes=codes)
    assert np.array_equal(TileDataset(layout.train, taxonomy)[1]["mask"], before)
    assert label_counts(layout.train, taxonomy, dataset).tolist() == counted.tolist()
