import pytest
import torch
from torch import nn

from terrashot.networks.build import build_segmenter
from terrashot.networks.single_value_norm import SingleValueGroupNorm, allow_single_values


def test_a_group_of_one_value_is_left_with_the_bias_and_others_are_as_torch_has_them():
    block = nn.Sequential(nn.GroupNorm(4, 4), nn.GroupNorm(2, 4))
    allow_single_values(block)
    assert [type(norm) for norm in block] == [SingleValueGroupNorm, nn.GroupNorm]
    nn.init.normal_(block[0].weight)
    nn.init.normal_(block[0].bias)
    torch.testing.assert_close(block[0](torch.randn(1, 4, 1, 1))[0, :, 0, 0], block[0].bias)
    x = torch.randn(2, 4, 3, 5)
    expected = nn.functional.group_norm(x, 4, block[0].weight, block[0].bias, block[0].eps)
    assert torch.equal(block[0](x), expected)


@pytest.mark.parametrize("side", [1, 32])
def test_a_network_of_one_channel_a_group_takes_tiny_images(side):
    decoder = {"name": "fpn", "pyramid_channels": 16, "segmentation_channels": 32}
    network = build_segmenter(
        {"backbone": {"name": "mobilenetv2_050"}, "decoder": decoder, "num_classes": 3}
    ).eval()
    with torch.no_grad():
        logits = network(torch.rand(1, 3, side, side))
    assert logits.shape == (1, 3, side, side)
    assert bool(logits.isfinite().all())
