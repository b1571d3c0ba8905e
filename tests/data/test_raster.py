"""Which pixels of a file are taken, which hold data, and what its header says of itself."""

import warnings

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp as Color
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

from terrashot.data.raster import inspect_raster, open_raster, read_pixels
from terrashot.errors import DataError
from terrashot.image_spec import RGB

UTM = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 0.5, 0.5)}
SIDE, EMPTY = 64, 24
RGBA = [Color.red, Color.green, Color.blue, Color.alpha]


def picture(bands=3, seed=0):
    return np.random.default_rng(seed).integers(1, 250, (bands, SIDE, SIDE), dtype=np.uint8)


def transparency(full, dtype="uint8"):
    """0 in the first columns, ``full`` elsewhere [1, H, W]."""
    alpha = np.full((1, SIDE, SIDE), full, dtype)
    alpha[..., :EMPTY] = 0
    return alpha


@pytest.fixture
def write(tmp_path):
    def write(array, interp=None, name="a.tif", **options):
        path = tmp_path / name
        kind = {"driver": "GTiff", **UTM, **options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(
                path, "w", height=SIDE, width=SIDE, count=len(array), dtype=array.dtype, **kind
            ) as file:
                if interp is not None:
                    file.colorinterp = interp
                file.write(array)
        return path

    return write


def read(path, wanted=RGB):
    with open_raster(path, " is missing") as source:
        raster = inspect_raster(path, source, wanted, "data.bands")
        return raster, *read_pixels(source, raster)


def empty_share(path, wanted=RGB):
    return 1 - read(path, wanted)[2].mean()


COLLAR = EMPTY / SIDE


def test_alpha_as_the_fifth_band_of_infrared_imagery_is_the_mask(write):
    colors = [Color.red, Color.green, Color.blue, Color.undefined, Color.alpha]
    path = write(np.concatenate([picture(4), transparency(255)]), colors, photometric="RGB")
    assert empty_share(path, (1, 2, 3)) == COLLAR
    assert empty_share(path, (1, 2, 3, 4)) == COLLAR


def test_alpha_beside_grey_is_the_mask(write):
    path = write(np.concatenate([picture(1), transparency(255)]), [Color.gray, Color.alpha])
    assert empty_share(path, (1, 1, 1)) == COLLAR
    with pytest.raises(DataError, match=r"data\.bands=\[1,1,1\], which takes grey"):
        read(path)


@pytest.mark.parametrize(
    ("dtype", "full"), [("uint8", 1), ("uint16", 255), ("uint16", 65535), ("float32", 1.0)]
)
def test_alpha_of_any_type_and_range_is_the_mask(write, dtype, full):
    array = np.concatenate([picture().astype(dtype), transparency(full, dtype)])
    path = write(array, RGBA, photometric="RGB")
    assert empty_share(path) == COLLAR
    assert empty_share(path, (1, 2, 3)) == COLLAR  # naming the bands switches no mask off


def test_alpha_counts_beside_a_nodata_value(write):
    path = write(np.concatenate([picture(), transparency(255)]), RGBA, nodata=0)
    assert empty_share(path) == COLLAR


def test_soft_edges_of_alpha_are_valid_where_anything_shows(write):
    alpha = transparency(255)
    alpha[..., EMPTY : EMPTY + 8] = np.arange(20, 180, 20, dtype=np.uint8)
    path = write(np.concatenate([picture(), alpha]), RGBA, photometric="RGB")
    assert empty_share(path) == COLLAR


def test_infrared_that_gdal_takes_for_alpha_is_no_mask_and_a_channel_when_asked_for(write):
    path = write(picture(4))
    with rasterio.open(path) as source:
        assert source.colorinterp[3] == Color.alpha
    raster, pixels, valid = read(path, (1, 2, 3, 4))
    assert raster.mask == "none"
    assert valid.all()
    assert pixels.shape == (4, SIDE, SIDE)
    with pytest.raises(DataError, match="marked as alpha, but holds a picture"):
        read(path)


def test_alpha_that_is_asked_for_by_its_number_is_a_channel(write):
    path = write(np.concatenate([picture(), transparency(255)]), RGBA, photometric="RGB")
    assert empty_share(path, (1, 2, 3, 4)) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("nodata", [None, -9999])
def test_what_is_no_finite_number_is_empty_whatever_nodata_says(write, value, nodata):
    array = picture().astype(np.float32)
    array[1, :, :EMPTY] = value  # one band is enough
    assert empty_share(write(array, nodata=nodata)) == COLLAR


def test_a_mask_and_a_nodata_value_both_count(write):
    array = picture()
    array[:, :8] = 0
    path = write(array, nodata=0)
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, :EMPTY] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    raster, _, valid = read(path)
    assert raster.mask == "nodata+mask"
    assert not valid[:8].any()
    assert not valid[:, :EMPTY].any()
    assert valid[8:, EMPTY:].all()


def test_a_mask_beside_the_file_counts(write):
    path = write(picture())
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, :EMPTY] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    assert path.with_name("a.tif.msk").is_file()
    assert empty_share(path) == COLLAR


def test_bands_tagged_blue_green_red_are_read_in_the_order_of_colours(write):
    array = picture()
    path = write(array, [Color.blue, Color.green, Color.red])
    raster, pixels, _ = read(path)
    assert raster.bands == (3, 2, 1)
    assert np.array_equal(pixels, array[::-1])


def test_tags_that_contradict_the_order_leave_the_choice_to_the_user(write):
    path = write(
        picture(), [Color.blue, Color.undefined, Color.undefined], photometric="MINISBLACK"
    )
    with pytest.raises(DataError, match=r"tagged blue, undefined.*data\.bands=\[1,2,3\]"):
        read(path)
    assert read(path, (1, 2, 3))[0].bands == (1, 2, 3)


def test_bands_without_a_tag_are_taken_as_they_stand(write):
    path = write(picture(), [Color.undefined] * 3, photometric="MINISBLACK")
    assert read(path)[0].bands == (1, 2, 3)


def test_a_message_about_more_bands_names_those_with_the_tags_of_colours(write):
    path = write(picture(4), [Color.blue, Color.green, Color.red, Color.undefined])
    with pytest.raises(DataError, match=r"has 4 band\(s\).*for example data\.bands=\[3,2,1\]"):
        read(path)


def test_bands_are_found_by_their_names(write):
    path = write(picture(4), [Color.blue, Color.green, Color.red, Color.undefined])
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B02", "B03", "B04", "NIR")
    assert read(path, ("red", "green", "blue", "nir"))[0].bands == (3, 2, 1, 4)
    assert read(path, ("b04", 2))[0].bands == (3, 2)
    with pytest.raises(DataError, match=r"has no band 'swir': its bands are 1 B02, 2 B03"):
        read(path, ("red", "swir"))


def test_a_palette_picture_is_told_to_be_expanded(write):
    path = write(picture(1) // 64)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {i: (i * 60, 255 - i * 60, 40, 255) for i in range(4)})
    with pytest.raises(DataError, match=r"palette.*gdal_translate -expand rgb"):
        read(path)


def test_a_palette_png_is_told_to_be_expanded(tmp_path):
    path = tmp_path / "p.png"
    Image.fromarray(picture().transpose(1, 2, 0)).convert("P").save(path)
    with pytest.raises(DataError, match=r"palette.*-expand rgb"):
        read(path)


def test_control_points_ask_for_a_warped_file(write):
    points = [GroundControlPoint(r, c, 4e5 + c, 5e6 - r) for r, c in [(0, 0), (0, 63), (63, 0)]]
    path = write(picture(), transform=None, crs=None)
    with rasterio.open(path, "r+") as file:
        file.gcps = (points, rasterio.crs.CRS.from_epsg(32633))
    with pytest.raises(DataError, match=r"3 control points.*gdalwarp"):
        read(path)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_jpeg_or_tiff_that_viewers_turn_is_refused(tmp_path, orientation):
    image = Image.fromarray(picture().transpose(1, 2, 0))
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / "a.jpg", exif=exif)
    image.save(tmp_path / "a.tif", tiffinfo={274: orientation})
    for name in ("a.jpg", "a.tif"):
        with pytest.raises(DataError, match=f"orientation tag {orientation}"):
            read(tmp_path / name)
    image.save(tmp_path / "b.tif", tiffinfo={274: 1})
    assert read(tmp_path / "b.tif")[2].all()


def test_scale_and_offset_tags_are_said_to_be_left_out(write):
    path = write(picture().astype(np.uint16))
    with rasterio.open(path, "r+") as file:
        file.scales = (0.01,) * 3
    raster, pixels, _ = read(path)
    assert "scale or offset tag" in raster.notes[0]
    assert np.array_equal(pixels, picture())


def test_a_reference_system_without_a_place_is_left_out_and_said(write):
    path = write(picture(), transform=None)
    raster = read(path)[0]
    assert raster.crs is None
    assert "not where it lies" in raster.notes[0]


def test_bands_of_unlike_types_are_refused(tmp_path):
    path = tmp_path / "a.vrt"
    for name, dtype in (("x.tif", "uint8"), ("y.tif", "uint16")):
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", height=8, width=8, count=1, dtype=dtype, **UTM
        ) as file:
            file.write(np.ones((1, 8, 8), dtype))
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{i}"><SimpleSource><SourceFilename '
        f'relativeToVRT="1">{name}</SourceFilename></SimpleSource></VRTRasterBand>'
        for i, (name, kind) in enumerate((("x.tif", "Byte"), ("y.tif", "UInt16")), start=1)
    )
    path.write_text(f'<VRTDataset rasterXSize="8" rasterYSize="8">{bands}</VRTDataset>')
    with pytest.raises(DataError, match="uint16, uint8"):
        read(path, (1, 2))
