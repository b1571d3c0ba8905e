import pytest
import torch
from torch import nn

from terrashot.errors import ConfigError
from terrashot.model.local_norm import LocalGroupNorm, normalise_locally


@pytest.fixture
def model():
    torch.manual_seed(0)
    norm = nn.GroupNorm(2, 6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), norm, nn.Sequential(nn.Conv2d(6, 4, 1)))


def test_statistics_are_those_of_the_square_around_each_pixel(model):
    image = torch.rand(2, 3, 160, 200)
    features = model[0](image)  # [2, 6, 40, 50]
    norm = model[1]
    assert normalise_locally(model, 64) == 1  # 16 x 16 cells
    model(image)
    out = model[1](features)
    for row, column in [(20, 25), (8, 30), (0, 0), (39, 49), (3, 48)]:
        top, left = min(max(row - 8, 0), 40 - 16), min(max(column - 8, 0), 50 - 16)
        square = features[:, :, top : top + 16, left : left + 16]
        expected = norm(square)[:, :, row - top, column - left]
        assert torch.allclose(out[:, :, row, column], expected, atol=1e-4)


def test_a_square_as_large_as_the_image_is_plain_group_normalisation(model):
    image = torch.rand(1, 3, 96, 96)
    before = model(image)
    normalise_locally(model, 96)
    assert torch.equal(model(image), before)


def test_a_pixel_far_from_the_border_is_the_same_in_any_window(model):
    image = torch.rand(1, 3, 320, 320)
    image[:, :, :, 200:] *= 0.2  # another landscape, far away
    plain = (
        model(image)[:, :, 4:20, 4:20] - model(image[:, :, :128, :128])[:, :, 4:20, 4:20]
    ).abs()
    normalise_locally(model, 64)
    whole, window = model(image), model(image[:, :, :128, :128])
    assert torch.allclose(whole[:, :, :20, :20], window[:, :, :20, :20], atol=1e-5)
    assert plain.max() > 0.01


def test_layers_are_found_anywhere_and_keep_their_weights(make_adapted):
    model = make_adapted("none")
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    count = sum(isinstance(m, nn.GroupNorm) for m in model.modules())
    assert normalise_locally(model, 64) == count > 0
    assert sum(isinstance(m, LocalGroupNorm) for m in model.modules()) == count
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    assert model(torch.rand(1, 3, 128, 128)).shape == (1, 5, 128, 128)


def test_none_leaves_the_model_and_a_tiny_square_is_refused(model):
    assert normalise_locally(model, None) == 0
    with pytest.raises(ConfigError, match="norm_side"):
        normalise_locally(model, 8)
