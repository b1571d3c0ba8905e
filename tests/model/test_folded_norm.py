import pytest
import torch
from torch import nn

from terrashot.model.folded_norm import fold_batch_norms
from terrashot.networks.build import build_segmenter


def trained(backbone="mobilenetv2_050", decoder="fpn"):
    """Batch norms that do something, as after a training."""
    torch.manual_seed(0)
    network = build_segmenter(
        {"backbone": {"name": backbone}, "decoder": {"name": decoder}, "num_classes": 3}
    ).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.requires_grad_(False)


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("names", [("mobilenetv2_050", "fpn"), ("resnet18", "unet")])
def test_features_stay_and_the_norms_are_gone(names):
    network = trained(*names)
    image, count = torch.rand(1, 3, 64, 96), norms(network)
    before = network.features(image)
    assert fold_batch_norms(network) == count > 10
    assert norms(network) == 0
    after = network.features(image)
    assert torch.allclose(after, before, rtol=1e-4, atol=1e-4 * float(before.abs().max()))
    assert not any(parameter.requires_grad for parameter in network.parameters())


class Doubled(nn.Conv2d):
    """Does something of its own with its weights."""

    def forward(self, x):
        return nn.functional.conv2d(x, self.weight * self.weight.abs().amax(), self.bias, 2, 1)


def test_a_network_that_folding_would_change_stays_as_it_was():
    network = trained()
    stem = network.encoder.model.conv_stem
    own = Doubled(3, stem.out_channels, 3, stride=2, padding=1, bias=False).requires_grad_(False)
    network.encoder.model.conv_stem = own
    image, count = torch.rand(1, 3, 64, 64), norms(network)
    before, state = network.features(image), list(network.state_dict())
    assert fold_batch_norms(network) == 0
    assert norms(network) == count
    assert list(network.state_dict()) == state
    assert torch.equal(network.features(image), before)


def test_a_network_without_batch_norms_has_nothing_to_fold():
    network = trained("convnext_atto")
    assert norms(network) == 0
    assert fold_batch_norms(network) == 0
