"""Crops, borders and pixel values of the training and evaluation transforms."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as V

from terrashot.data.photometry import add_noise, blur, jitter_colors, multiply_noise
from terrashot.data.transforms import EvalTransform, TrainTransform
from terrashot.data.windows import Window
from terrashot.errors import ConfigError


def tile(height, width, seed=0):
    """A smooth image, and a mask of classes 1 to 4 in which each class is a quadrant."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 8, 8, generator=generator) * 255
    image = F.interpolate(coarse, (height, width), mode="bilinear")[0].to(torch.uint8)
    mask = torch.ones(height, width, dtype=torch.uint8)
    mask[height // 2 :] += 1
    mask[:, width // 2 :] += 2
    return image, mask


def test_a_window_equals_the_affine_map_of_the_whole_tile():
    image, mask = tile(200, 240)
    bilinear = InterpolationMode.BILINEAR
    whole = V.affine(image.float() / 255, 30.0, [0, 0], 1.2, [0, 0], interpolation=bilinear)
    whole_mask = V.affine(mask[None], 30.0, [0, 0], 1.2, [0, 0])[0]
    pixels, labels = Window(96, (120.0, 100.0), 30.0, 1.2).cut(image, mask)
    assert torch.allclose(pixels, whole[:, 52:148, 72:168], atol=1e-4)
    assert (labels == whole_mask[52:148, 72:168]).float().mean() > 0.999


def test_a_crop_equals_the_affine_map_and_the_crop_of_the_whole_tile():
    image, mask = tile(80, 90)
    transform = TrainTransform(64, scale=0.25, shift=0.1, rotation=45, affine_p=1.0)
    torch.manual_seed(3)
    pixels, labels = transform(image, mask)
    torch.manual_seed(3)
    left, top = int(torch.randint(0, 27, ())), int(torch.randint(0, 17, ()))
    _, angle, scale, dx, dy = (torch.rand(()).item() for _ in range(5))
    values = {
        "angle": -45 + 90 * angle,
        "scale": 0.75 + 0.5 * scale,
        "translate": [(-0.1 + 0.2 * dx) * 90, (-0.1 + 0.2 * dy) * 80],
        "shear": [0.0, 0.0],
    }
    bilinear = InterpolationMode.BILINEAR
    whole = V.affine(image.float() / 255, **values, interpolation=bilinear)
    whole_mask = V.affine(mask[None], **values, fill=255)[0]
    place = (slice(top, top + 64), slice(left, left + 64))
    assert torch.allclose(pixels, whole[:, *place], atol=1e-3)
    assert (labels == whole_mask[place]).float().mean() > 0.999


def test_image_and_mask_move_together():
    """The mask is the image's own red band: they agree wherever the crop shows the tile."""
    _, mask = tile(90, 130)
    image = (mask * 40).expand(3, -1, -1).contiguous()
    transform = TrainTransform(
        64, scale=0.3, shift=0.1, rotation=90, affine_p=0.8, hflip_p=0.5, vflip_p=0.5, rot90_p=0.7
    )
    torch.manual_seed(0)
    for _ in range(30):
        out, labels = transform(image, mask)
        inside = labels != 255
        differs = (out[0] * 255 / 40 - labels.float()).abs() > 0.6
        # Along class borders the image is interpolated and the mask is not.
        assert (differs & inside).float().mean() < 0.03
        assert inside.any()


@pytest.mark.parametrize("size", [(20, 30), (64, 20), (200, 40), (300, 310)])
def test_borders_are_ignored_and_never_a_class(size):
    """All pixels of the tile are bright and of class 3, so what is dark lies beyond it."""
    image = torch.full((3, *size), 255, dtype=torch.uint8)
    mask = torch.full(size, 3, dtype=torch.uint8)
    transform = TrainTransform(64, scale=0.4, shift=0.2, rotation=180, affine_p=0.8, rot90_p=0.5)
    torch.manual_seed(0)
    for _ in range(40):
        out, labels = transform(image, mask)
        assert set(labels.unique().tolist()) <= {3, 255}
        assert (labels == 3).any()
        assert (labels[(out == 0).all(0)] == 255).all()
        assert (out[0][labels == 3] >= 0.24).all()


def test_a_tile_smaller_than_the_crop_is_filled_up_with_ignored_pixels():
    image, mask = tile(20, 20)
    _, labels = TrainTransform(32)(image, mask)
    assert set(labels.unique().tolist()) == {1, 2, 3, 4, 255}


def test_without_augmentation_a_crop_is_a_piece_of_the_tile():
    image = torch.arange(50 * 60).reshape(1, 50, 60).remainder(251).to(torch.uint8)
    image = image.expand(3, -1, -1)
    mask = (torch.arange(50 * 60).reshape(50, 60) % 5).to(torch.uint8)
    torch.manual_seed(0)
    places = set()
    for _ in range(60):
        out, labels = TrainTransform(47)(image, mask)
        value = (out * 255).round().to(torch.uint8)
        found = [
            (y, x)
            for y in range(4)
            for x in range(14)
            if torch.equal(value, image[:, y : y + 47, x : x + 47])
            and torch.equal(labels, mask[y : y + 47, x : x + 47])
        ]
        assert len(found) == 1
        places.add(found[0])
    assert {y for y, _ in places} == {0, 1, 2, 3}
    assert {0, 13} <= {x for _, x in places}


def test_every_one_of_the_eight_directions_is_drawn():
    image, mask = tile(32, 32)
    torch.manual_seed(0)
    transform = TrainTransform(32, hflip_p=0.5, vflip_p=0.5, rot90_p=0.75)
    seen = {
        tuple(transform(image, mask)[1][[0, 0, -1, -1], [0, -1, 0, -1]].tolist())
        for _ in range(200)
    }
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("key", "value"), [("hflip_p", 1.5), ("scale", 1.0), ("crop", 0), ("rotation", -5)]
)
def test_a_senseless_setting_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"augmentation\.{key} is {value}"):
        TrainTransform(**{key: value})


def test_brightness_contrast_and_saturation_do_what_they_say():
    image = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.2
    same = jitter_colors(image, 1, 1, 1)
    assert torch.allclose(same, image, atol=1e-6)
    assert torch.allclose(jitter_colors(image, 1.1, 1, 1), image * 1.1, atol=1e-6)
    grey = jitter_colors(image, 1, 1, 0)
    assert torch.allclose(grey[0], grey[2], atol=1e-6)
    assert torch.allclose(
        jitter_colors(image, 1, 1, 0.5), V.adjust_saturation(image, 0.5), atol=1e-3
    )
    assert torch.allclose(jitter_colors(image, 1, 1.3, 1), V.adjust_contrast(image, 1.3), atol=2e-3)


def test_noise_has_the_strength_that_was_asked_for():
    torch.manual_seed(0)
    image = torch.full((3, 100, 100), 0.5)
    assert add_noise(image, 0.05).std().item() == pytest.approx(0.05, rel=0.05)
    assert multiply_noise(image, 0.1).std().item() == pytest.approx(0.05 / math.sqrt(3), rel=0.05)


def test_blur_equals_a_gaussian_filter():
    image = torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(0))
    expected = V.gaussian_blur(image, [5, 5], [1.0, 1.0])
    inside = (slice(None), slice(3, -3), slice(3, -3))  # the edge is repeated, not mirrored
    assert torch.allclose(blur(image, 1.0)[inside], expected[inside], atol=1e-5)


def test_evaluation_leaves_a_tile_at_its_own_size():
    image, mask = tile(51, 77)
    out, labels = EvalTransform(None)(image, mask)
    assert torch.equal(out, image)
    assert torch.equal(labels, mask)


@pytest.mark.parametrize("size", [(100, 60), (50, 100), (30, 20), (64, 64)])
def test_evaluation_resizes_the_longest_side_and_pads_right_and_bottom(size):
    image, mask = tile(*size)
    out, labels = EvalTransform(64)(image + 1, mask)
    assert out.shape == (3, 64, 64)
    height, width = (round(side * 64 / max(size)) for side in size)
    assert set(labels[:height, :width].unique().tolist()) == {1, 2, 3, 4}
    beyond = torch.ones(64, 64, dtype=torch.bool)
    beyond[:height, :width] = False
    assert (labels[beyond] == 255).all()
    assert (out[:, beyond] == 0).all()
    middle = np.array([height // 2, width // 2])
    assert labels[tuple(middle - 2)] == 1
    assert labels[tuple(middle + 2)] == 4
