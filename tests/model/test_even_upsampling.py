import pytest
import torch
from segmentation_models_pytorch.decoders.fpn.decoder import Conv3x3GNReLU
from torch import nn

from terrashot.model.even_upsampling import EvenConv3x3GNReLU, upsample_evenly


def test_two_windows_see_the_same_where_both_are_far_from_their_borders():
    torch.manual_seed(0)
    block = Conv3x3GNReLU(4, 32, upsample=True).eval()
    block.block[1] = nn.Identity()  # its statistics differ too; see test_local_norm.py
    even, features = EvenConv3x3GNReLU(block), torch.rand(1, 4, 24, 24)
    with torch.no_grad():
        for layer, agrees in ((block, False), (even, True)):
            whole, window = layer(features)[..., 12:36, 12:36], layer(features[..., 4:20, 4:20])
            difference = (whole - window[..., 4:28, 4:28]).abs().max()
            assert (difference < 1e-6) == agrees


@pytest.mark.parametrize(("decoder", "layers"), [("fpn", 6), ("deeplabv3plus", 1), ("upernet", 0)])
def test_all_layers_are_found(make_adapted, decoder, layers):
    model = make_adapted(decoder={"name": decoder}, align_corners=True)
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    assert upsample_evenly(model) == layers
    assert not any(getattr(module, "align_corners", False) for module in model.modules())
    assert not any(isinstance(m, Conv3x3GNReLU) and m.upsample for m in model.modules())
    assert all(torch.equal(v, tensors[k]) for k, v in model.state_dict().items())
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 5, 64, 64)
