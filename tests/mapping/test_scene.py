import numpy as np
import pytest
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from terrashot.data.imagery import parse_scale
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.scene import inspect_scene
from terrashot.mapping.source import TileSource

RNG = np.random.default_rng(0)


def picture(bands=3, dtype="uint8", high=255, side=100):
    return RNG.integers(0, high, (bands, side, side), endpoint=True).astype(dtype)


def read_all(scene):
    with TileSource(scene, [(0, 0, 128, 128)]) as source:
        return source.read(0, 0, 128, 128)


def test_size_reference_and_transform_are_kept(write_raster):
    transform = from_origin(500_000, 4_000_000, 0.3, 0.3)
    path = write_raster("a.tif", picture(), crs="EPSG:32633", transform=transform)
    scene = inspect_scene(path)
    assert (scene.height, scene.width, scene.pixels) == (100, 100, 10_000)
    assert "32633" in scene.crs
    assert scene.transform == tuple(transform)[:6]
    assert inspect_scene(write_raster("b.tif", picture())).crs is None


@pytest.mark.parametrize("bands", [1, 2, 4, 5])
def test_another_number_of_bands_is_refused_and_says_what_to_do(write_raster, bands):
    path = write_raster("a.tif", picture(bands))
    with pytest.raises(DataError, match=rf"{bands} band\(s\).*input\.bands"):
        inspect_scene(path)
    if bands >= 3:
        scene = inspect_scene(path, bands=[3, 2, 1])
        assert scene.raster.bands == (3, 2, 1)
        assert scene.raster.mask == "none"  # GDAL marks any fourth 8-bit band as alpha


def test_a_band_that_is_not_there_is_refused(write_raster):
    with pytest.raises(DataError, match=r"input\.bands is \[1, 2, 7\].*1 to 4"):
        inspect_scene(write_raster("a.tif", picture(4)), bands=[1, 2, 7])


def test_a_real_alpha_band_is_the_mask(write_raster):
    array = picture(4)
    array[3] = 255
    array[3, :40] = 0
    path = write_raster("a.tif", array, photometric="RGB", alpha="YES")
    scene = inspect_scene(path)
    assert scene.raster.mask == "alpha"
    image, valid = read_all(scene)
    np.testing.assert_array_equal(valid[:100, :100], array[3] > 0)
    np.testing.assert_array_equal(image[:, :100, :100], array[:3])


def test_nodata_is_where_all_three_bands_have_its_value(write_raster):
    array = picture(3, high=250)
    array[:, :10] = 255
    array[0, 50] = 255  # one band alone is a colour
    scene = inspect_scene(write_raster("a.tif", array, nodata=255))
    assert scene.raster.mask == "nodata"
    _, valid = read_all(scene)
    assert not valid[:10].any()
    assert valid[10:100, :100].all()
    assert not valid[100:].any()
    assert not valid[:, 100:].any()


def test_a_mask_inside_the_file_is_respected(write_raster):
    import rasterio

    path = write_raster("a.tif", picture())
    mask = np.full((100, 100), 255, np.uint8)
    mask[:, 60:] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    _, valid = read_all(inspect_scene(path))
    np.testing.assert_array_equal(valid[:100, :100], mask > 0)


def test_beyond_the_border_the_picture_is_mirrored(write_raster):
    array = picture(side=100)
    image, _ = read_all(inspect_scene(write_raster("a.tif", array)))
    np.testing.assert_array_equal(image[:, 100:, :100], array[:, :71:-1])
    tiny = picture(side=5)
    image, valid = read_all(inspect_scene(write_raster("b.tif", tiny)))
    assert image.shape == (3, 128, 128)
    assert valid.sum() == 25


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_pixels_that_are_not_8_bit_are_refused_and_scaled_when_told_how(write_raster, dtype):
    array = picture(dtype=dtype, high=3000)
    array[:, 0, 0] = [0, 1500, 3000]
    path = write_raster("a.tif", array)
    with pytest.raises(DataError, match=rf"{dtype}.*input\.scale=\[0,3000\]"):
        inspect_scene(path)
    image, _ = read_all(inspect_scene(path, scale=(0, 3000)))
    assert image.dtype == np.float32
    assert image[:, 0, 0].tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(image[:, :100, :100], array / 3000, atol=1e-6)


def test_percentiles_are_those_of_the_pixels_with_data(write_raster):
    array = (RNG.integers(1000, 2000, (3, 300, 300)) * np.array([1, 2, 3])[:, None, None]).astype(
        "uint16"
    )
    array[:, :150] = 0
    scene = inspect_scene(write_raster("a.tif", array, nodata=0), scale="percentile")
    low, high = np.transpose(scene.spec.scale)
    np.testing.assert_allclose(low, [1020, 2040, 3060], rtol=0.01)
    np.testing.assert_allclose(high, [1980, 3960, 5940], rtol=0.01)
    nothing = np.zeros((3, 50, 50), "uint16")
    scene = inspect_scene(write_raster("b.tif", nothing, nodata=0), scale="percentile")
    assert not read_all(scene)[1].any()


def test_a_scale_for_16_bit_is_refused_on_an_8_bit_scene(write_raster):
    with pytest.raises(DataError, match="8-bit pixels"):
        inspect_scene(write_raster("a.tif", picture()), scale=(0, 3000))


@pytest.mark.parametrize("value", [[3000, 0], [1], "minmax", 7, ["a", "b"]])
def test_a_scale_of_another_form_is_refused(value):
    with pytest.raises(ConfigError, match=r"input\.scale"):
        parse_scale(value, "input.scale")


def test_a_file_that_is_no_raster_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"not a tiff at all")
    with pytest.raises(DataError, match="cannot be read as a raster"):
        inspect_scene(path)
    with pytest.raises(DataError, match="does not exist"):
        inspect_scene(tmp_path / "b.tif")


def test_a_broken_block_in_the_middle_is_named(write_raster):
    path = write_raster(
        "a.tif", picture(side=512), tiled=True, blockxsize=64, blockysize=64, compress="deflate"
    )
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    scene = inspect_scene(path)
    with TileSource(scene, [(0, 0, 64, 64), (0, 0, 512, 512)]) as source:
        source.read(0, 0, 64, 64)
        with pytest.raises(DataError, match=r"a\.tif is damaged: rows 0 to 511"):
            source.read(0, 0, 512, 512)


def test_an_alpha_band_counts_as_such_only_by_its_content(write_raster):
    import rasterio

    array = picture(4)
    path = write_raster("a.tif", array)
    with rasterio.open(path) as source:
        assert source.colorinterp[3] == ColorInterp.alpha  # GDAL's guess
    with pytest.raises(DataError, match="marked as alpha, but holds a picture"):
        inspect_scene(path)
