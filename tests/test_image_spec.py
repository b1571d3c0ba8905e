"""The channels of an image: from a file's values to 0..1, to a picture, and back from a file."""

import numpy as np
import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.image_spec import ImageSpec, as_unit

NIR = ImageSpec(
    (1, 2, 3, 4), "uint16", ((0.0, 100.0),) * 3 + ((50.0, 150.0),), (0.5,) * 4, (0.2,) * 4
)


def test_bytes_stay_bytes_and_become_0_to_1_at_the_network():
    raw = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    pixels = ImageSpec().pixels(raw)
    assert pixels is raw
    assert torch.equal(as_unit(torch.from_numpy(pixels)), torch.from_numpy(raw) / 255)


def test_each_channel_has_a_scale_of_its_own_and_is_cut_beyond_it():
    raw = np.array([[[0, 200]], [[50, 100]], [[25, 75]], [[50, 100]]], np.uint16)
    pixels = NIR.pixels(raw)
    assert pixels.dtype == np.float32
    assert pixels[:, 0].tolist() == [[0, 1], [0.5, 1], [0.25, 0.75], [0, 0.5]]
    assert torch.equal(as_unit(torch.from_numpy(pixels)), torch.from_numpy(pixels))


def test_what_is_no_number_becomes_0():
    spec = ImageSpec(("a",), "float32", ((0.0, 10.0),), (0.5,), (0.2,), (0, 0, 0))
    raw = np.array([[np.nan, np.inf, -np.inf, 5, 20]], np.float32)
    assert spec.pixels(raw).tolist() == [[0, 0, 0, 0.5, 1]]


def test_eight_bit_rgb_needs_no_description_and_others_come_back_from_theirs():
    plain = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    assert ImageSpec.from_description(plain).is_plain
    assert ImageSpec.from_description(plain).mean == (0.1, 0.2, 0.3)
    described = {"mean": list(NIR.mean), "std": list(NIR.std), "imagery": NIR.description}
    assert ImageSpec.from_description(described) == NIR
    assert not NIR.is_plain


def test_other_bands_of_a_file_may_hold_the_same_channels():
    assert NIR.read_as([5, 3, 2, 8]).bands == (5, 3, 2, 8)
    assert NIR.read_as(None) is NIR
    with pytest.raises(ConfigError, match=r"input\.bands is \[1, 2\].*takes 4 channel"):
        NIR.read_as([1, 2])


@pytest.mark.parametrize("band", [1.5, None, True, "", [1]])
def test_a_band_is_a_whole_number_or_a_name(band):
    with pytest.raises(ConfigError, match=r"input\.bands is .* is no band"):
        NIR.read_as([1, 2, 3, band])
    with pytest.raises(ConfigError, match=r"data\.bands is .* is no band"):
        ImageSpec((1, 2, band))


def test_no_band_is_no_image():
    with pytest.raises(ConfigError, match=r"data\.bands is empty"):
        ImageSpec(())


def test_a_picture_shows_the_visible_channels_and_is_stretched_unless_8_bit():
    image = torch.zeros(4, 1, 100)
    image[0, 0] = torch.linspace(0.2, 0.3, 100)
    image[3] = 1
    picture = ImageSpec(NIR.bands, "uint16", NIR.scale, NIR.mean, NIR.std, (0, 0, 0)).picture(image)
    assert picture.shape == (1, 100, 3)
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, -1].tolist() == [255, 255, 255]
    rgb = torch.rand(3, 4, 5)
    expected = (rgb * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(ImageSpec().picture(rgb), expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mean": (0.1, 0.2)}, r"data\.mean is \[0\.1, 0\.2\].*3 channel"),
        ({"std": (0.1, 0.2, 0.0)}, r"data\.std .*above 0"),
        ({"std": (0.1, 0.2, float("nan"))}, r"data\.std"),
        ({"bands": ()}, r"data\.bands is empty"),
        ({"dtype": "complex64"}, "complex64"),
        ({"dtype": "uint16"}, r"data\.scale"),
        ({"scale": ((0.0, 1.0),)}, r"data\.scale"),
        ({"scale": ((5.0, 1.0),) * 3}, r"data\.scale"),
        ({"rgb": (0, 1, 3)}, r"data\.rgb is \[0, 1, 3\]"),
    ],
)
def test_values_that_do_not_go_together_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        ImageSpec(**values)
