"""Flips and smoothing: what they do to a map, and that they fit every head."""

import pytest
import torch
import yaml
from hydra.utils import instantiate
from tests.fixtures.heads import plain_map
from torch import nn
from torch.nn import functional

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.inference import Inference, flip, smooth
from terrashot.errors import ConfigError
from terrashot.networks.upsampling import upsample


class Network:
    """Features of stride 4 from an image, padded below and to the right as the segmenter does."""

    def __init__(self, equivariant, seed=0):
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 6, 5, padding=2).double()
        if equivariant:  # a kernel that looks the same from both sides
            kernel = self.convolution.weight.data
            kernel = (kernel + kernel.flip(-1)) / 2
            self.convolution.weight.data = (kernel + kernel.flip(-2)) / 2
        self.head = LinearHead(torch.randn(4, 6).double() * 3, torch.randn(4).double())

    @torch.no_grad()
    def features(self, image):
        height, width = image.shape[-2:]
        padded = functional.pad(self.convolution(image[None]), (0, -width % 4, 0, -height % 4))
        return functional.avg_pool2d(padded, 4)[0]


def predict(inference, network, image, **options):
    features = [network.features(flip(image, view)) for view in inference.views()]
    size = (image.shape[1], image.shape[2])
    return inference.predict_map(
        network.head, features, size, 4, return_probabilities=True, **options
    )


def image(height, width):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1)).double()


def assert_same_map(one, other):
    assert torch.equal(one[0], other[0])
    assert torch.allclose(one[1], other[1])


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("flips", ["h", "hv"])
@pytest.mark.parametrize("smoothing", [0, 3])
def test_flips_change_nothing_for_a_network_that_does_not_see_them(flips, smoothing, align_corners):
    network, tile = Network(equivariant=True), image(24, 32)
    plain = predict(Inference("none", smoothing), network, tile, align_corners=align_corners)
    flipped = predict(Inference(flips, smoothing), network, tile, align_corners=align_corners)
    assert_same_map(flipped, plain)


@pytest.mark.parametrize("size", [(24, 32), (23, 29)])  # multiples of the stride, and not
@pytest.mark.parametrize("window", ["box", "gaussian"])
def test_all_flips_see_a_flipped_tile_as_the_flip_of_its_map(size, window):
    network, tile = Network(equivariant=False), image(*size)
    inference = Inference("hv", 3, window)
    classes, probabilities = predict(inference, network, tile)
    for view in inference.views():
        turned = predict(inference, network, flip(tile, view))
        assert_same_map(turned, (flip(classes, view), flip(probabilities, view)))


@pytest.mark.parametrize("size", [(24, 32), (23, 29)])
def test_the_map_is_the_mean_of_the_views_flipped_back(size):
    network, tile = Network(equivariant=False), image(*size)
    _, found = predict(Inference("hv"), network, tile)
    expected = torch.zeros_like(found)
    for view in [(), (-1,), (-2,), (-2, -1)]:
        turned = plain_map(network.head, network.features(flip(tile, view)), size, 4, False, True)
        expected += flip(turned[1], view) / 4
    assert torch.allclose(found, expected)
    assert not torch.allclose(found, predict(Inference(), network, tile)[1], atol=1e-3)


def test_views_begin_with_the_image_and_undo_themselves():
    assert [len(Inference(flips).views()) for flips in ("none", "h", "hv")] == [1, 2, 4]
    tile = image(5, 7)
    for view in Inference("hv").views():
        assert torch.equal(flip(flip(tile, view), view), tile)
    assert Inference("hv").views()[0] == ()
    assert torch.equal(flip(tile, (-1,)), tile[:, :, torch.arange(6, -1, -1)])
    mask = torch.arange(6).view(2, 3)
    assert flip(mask, (-2, -1)).tolist() == [[5, 4, 3], [2, 1, 0]]


@pytest.mark.parametrize("window", ["box", "gaussian"])
@pytest.mark.parametrize("size", [3, 5])
def test_smoothing_equals_a_weighted_mean_of_what_lies_inside(size, window):
    logits = torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(0)).double()
    probabilities = logits.softmax(dim=0)
    found = smooth(probabilities, size, window)
    row = {3: [1, 2, 1], 5: [1, 4, 6, 4, 1]}[size] if window == "gaussian" else [1] * size
    reach = size // 2
    for y in range(7):
        for x in range(6):
            total, weight_sum = torch.zeros(4).double(), 0
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    if 0 <= y + dy < 7 and 0 <= x + dx < 6:
                        weight = row[dy + reach] * row[dx + reach]
                        total += weight * probabilities[:, y + dy, x + dx]
                        weight_sum += weight
            assert torch.allclose(found[:, y, x], total / weight_sum)
    assert torch.allclose(found.sum(dim=0), torch.ones(7, 6).double())


@pytest.mark.parametrize("window", ["box", "gaussian"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2)])
def test_maps_smaller_than_the_window_are_smoothed_over_what_there_is(shape, window):
    probabilities = torch.randn(3, *shape).double().softmax(dim=0)
    found = smooth(probabilities, 5, window)
    assert found.shape == probabilities.shape
    assert torch.allclose(found.sum(dim=0), torch.ones(shape).double())


def test_smoothing_removes_a_lone_pixel_and_keeps_its_input():
    probabilities = torch.zeros(2, 5, 5)
    probabilities[0] = 0.9
    probabilities[0, 2, 2] = 0.2
    probabilities[1] = 1 - probabilities[0]
    before = probabilities.clone()
    assert bool((smooth(probabilities, 3).argmax(dim=0) == 0).all())
    assert torch.equal(probabilities, before)
    assert smooth(probabilities, 0) is probabilities


def test_each_view_may_have_its_own_head_and_counts_must_agree():
    network, tile = Network(equivariant=False), image(8, 8)
    other = LinearHead(-network.head.weight, network.head.bias)
    features = [network.features(flip(tile, view)) for view in [(), (-1,)]]
    found = Inference("h").predict_map(
        [network.head, other], features, (8, 8), 4, return_probabilities=True
    )[1]
    parts = [
        upsample(head.logits(x).softmax(dim=0), (8, 8), 4)
        for head, x in zip([network.head, other], features, strict=True)
    ]
    assert torch.allclose(found, (parts[0] + parts[1].flip(-1)) / 2)
    with pytest.raises(ValueError, match=r"inference\.flips=hv has 4 views.*2 feature maps"):
        Inference("hv").predict_map(network.head, features, (8, 8), 4)
    with pytest.raises(ValueError, match="1 heads"):
        Inference("h").predict_map([network.head], features, (8, 8), 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flips": "v"}, r"inference\.flips is 'v'.*none, h, hv"),
        ({"smoothing": 4}, r"inference\.smoothing is '4'.*0, 3, 5"),
        ({"smoothing": True}, r"inference\.smoothing is 'True'"),
        ({"window": "disc"}, r"inference\.window is 'disc'.*box, gaussian"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        Inference(**options)


@pytest.mark.parametrize(
    ("name", "flips", "smoothing"),
    [("plain", "none", 0), ("flips", "hv", 0), ("smooth", "none", 3), ("flips_smooth", "hv", 3)],
)
def test_each_config_builds_what_its_name_says(repository, name, flips, smoothing):
    text = (repository / "configs" / "inference" / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    built = instantiate(yaml.safe_load(text), _convert_="all")
    assert (built.flips, built.smoothing) == (flips, smoothing)
