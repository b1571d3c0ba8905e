"""Reading tiles: the formats, and an error for each kind of bad file."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrashot.data.reading import image_size, read_georeference, read_image, read_label
from terrashot.errors import DataError
from terrashot.image_spec import ImageSpec


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 50, 70), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_lossless_images_come_back_as_written(tmp_path, write_raster, pixels, suffix):
    path = write_raster(tmp_path / f"a{suffix}", pixels)
    assert np.array_equal(read_image(path), pixels)
    assert image_size(path) == (50, 70)


def test_jpeg_is_read_in_rgb_order(tmp_path):
    colors = np.zeros((3, 32, 32), dtype=np.uint8)
    colors[0], colors[1] = 200, 100
    Image.fromarray(colors.transpose(1, 2, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - colors).max() <= 4


def test_a_palette_png_label_gives_its_indices(tmp_path):
    label = np.random.default_rng(0).integers(0, 6, (20, 30), dtype=np.uint8)
    image = Image.fromarray(label, mode="P")
    image.putpalette([7 * i % 256 for i in range(768)])
    image.save(tmp_path / "label.png")
    assert np.array_equal(read_label(tmp_path / "label.png", {*range(6)}), label)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
@pytest.mark.parametrize("share", [0.9, 0.4, 0.0])
def test_a_truncated_file_is_an_error_in_every_format(
    tmp_path, write_raster, pixels, suffix, share
):
    path = write_raster(tmp_path / f"a{suffix}", np.tile(pixels, (1, 4, 4)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"a\.\w+ \(\d+ bytes\).*truncated.*again"):
        read_image(path)


def test_a_truncated_tile_of_real_imagery_is_an_error(shared, tmp_path):
    source = shared / "data/dubai/trainset/images/dubai1_0010.tif"
    path = tmp_path / "cut.tif"
    path.write_bytes(source.read_bytes()[:-200])
    with pytest.raises(DataError, match="truncated"):
        read_image(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.tif does not exist"):
        read_image(tmp_path / "nowhere.tif")


def test_four_bands_are_refused_with_the_setting_that_chooses(tmp_path, write_raster):
    path = write_raster(tmp_path / "rgbn.tif", np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"rgbn\.tif has 4 band.*data\.bands=\[1,2,3\]"):
        read_image(path)
    assert read_image(path, ImageSpec((4, 1, 2))).shape == (3, 8, 8)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_deep_pixels_are_refused_with_the_command_for_8_bit(tmp_path, write_raster, dtype):
    path = write_raster(tmp_path / "deep.tif", np.zeros((3, 8, 8), dtype))
    with pytest.raises(
        DataError, match=rf"deep\.tif has pixels of type {dtype}.*data\.scale.*-scale"
    ):
        read_image(path)


@pytest.mark.parametrize(("shape", "dtype"), [((3, 8, 8), "uint8"), ((1, 8, 8), "float32")])
def test_a_label_of_several_bands_or_another_type_is_refused(tmp_path, write_raster, shape, dtype):
    path = write_raster(tmp_path / "label.tif", np.zeros(shape, dtype))
    with pytest.raises(DataError, match=rf"{shape[0]} band\(s\) of type {dtype}.*one band"):
        read_label(path)


def test_an_unknown_label_id_is_named_with_its_pixels_and_the_allowed_ids(tmp_path, write_raster):
    label = np.zeros((10, 10), np.uint8)
    label[0, :7] = 9
    path = write_raster(tmp_path / "label.tif", label)
    with pytest.raises(DataError, match=r"label\.tif has the label id\(s\) 9 \(7 pixels\).*0, 1"):
        read_label(path, {0, 1})
    assert read_label(path).max() == 9


def test_georeference_of_a_real_tile(shared):
    reference = read_georeference(shared / "data/oem_samples/images/austin_29.tif")
    assert reference.crs is not None
    assert reference.transform.a == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint16", "int8"])
def test_label_ids_are_read_from_whole_numbers_of_any_type(tmp_path, write_raster, dtype):
    label = np.random.default_rng(0).integers(0, 4, (10, 12)).astype(dtype)
    path = write_raster(tmp_path / "label.tif", label)
    assert np.array_equal(read_label(path, {0, 1, 2, 3}), label)
    assert read_label(path).dtype == np.uint8


def test_a_label_id_that_no_byte_holds_is_named(tmp_path, write_raster):
    path = write_raster(tmp_path / "label.tif", np.full((4, 4), 1000, np.int16))
    with pytest.raises(DataError, match=r"label\.tif has the label id\(s\) 1000.*0 to 255"):
        read_label(path)


def test_a_labels_own_value_for_no_data_is_ignored_where_it_is_no_id(tmp_path):
    path = tmp_path / "label.tif"
    label = np.array([[0, 1], [-9999, 2]], np.int16)
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=2, count=1, dtype="int16", nodata=-9999
    ) as file:
        file.write(label, 1)
    assert read_label(path, {0, 1, 2, 255}).tolist() == [[0, 1], [255, 2]]
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", nodata=0
    ) as file:  # background marked as no data is background
        file.write(np.array([[0, 1], [0, 2]], np.uint8), 1)
    assert read_label(path, {0, 1, 2, 255}).tolist() == [[0, 1], [0, 2]]
