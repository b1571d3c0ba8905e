"""The network of SG-One: the published one, and any encoder and decoder."""

import pytest
import torch
from torch import nn

from terrashot.errors import CheckpointError, ConfigError
from terrashot.papers.sg_one.network.build import build_sg_one, load_sg_one_weights

PUBLISHED = {"backbone": {"name": "sg_one_vgg16"}, "decoder": None}
SMALL = {
    "backbone": {"name": "mobilenetv2_050"},
    "decoder": {"name": "fpn", "pyramid_channels": 16, "segmentation_channels": 32},
    "guidance_channels": 12,
}


@pytest.fixture(scope="module")
def published():
    return build_sg_one(PUBLISHED)


def torchvision_weights():
    """Random tensors under the names of torchvision's VGG16; its classifier in small."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    generator = torch.Generator().manual_seed(0)
    tensors = {"classifier.6.weight": torch.zeros(4, 4)}
    for place, ins, outs in zip(places, widths, widths[1:], strict=False):
        tensors[f"features.{place}.weight"] = torch.randn(outs, ins, 3, 3, generator=generator)
        tensors[f"features.{place}.bias"] = torch.randn(outs, generator=generator)
    return tensors


def test_sg_one_t07_parameters_and_sizes_of_the_published_network(published):
    assert sum(p.numel() for p in published.parameters()) == 18_992_194
    with torch.no_grad():
        maps = published.maps(torch.rand(1, 3, 321, 321))
        assert [m.shape[1:] for m in maps] == [(256, 41, 41), (512, 41, 41), (512, 41, 41)]
        guidance, features = published.guidance(maps), published.features(maps)
        assert guidance.shape == (1, 512, 41, 41)
        assert bool((guidance < 0).any())  # no ReLU: cosines reach below 0
        assert bool((features < 0).any())
        similarity = torch.rand(1, 1, 41, 41)
        assert published.gate(features, similarity).shape == (1, 2, 41, 41)  # not 43
        assert published.logits(features, similarity, (321, 321)).shape == (1, 2, 321, 321)


def test_the_published_exit_has_a_rim_and_is_stretched():
    network = build_sg_one({**PUBLISHED, "exit_padding": 1})
    assert sum(p.numel() for p in network.parameters()) == 18_992_194
    assert build_sg_one(network.description).description == network.description
    with torch.no_grad():
        features, similarity = torch.rand(1, 128, 9, 9), torch.rand(1, 1, 9, 9)
        logits = network.gate(features, similarity)
        assert logits.shape == (1, 2, 11, 11)
        rim = torch.cat([logits[..., 0, :], logits[..., -1, :], logits[..., 0], logits[..., -1]], 2)
        bias = network.gate.layers[2].bias
        torch.testing.assert_close(rim, bias.reshape(1, 2, 1).expand_as(rim))
        assert network.logits(features, similarity, (72, 72)).shape == (1, 2, 72, 72)
        plain = build_sg_one(PUBLISHED)
        plain.load_state_dict(network.state_dict())
        torch.testing.assert_close(plain.gate(features, similarity), logits[..., 1:-1, 1:-1])


def test_sides_follow_the_published_pools(published):
    pools = [m for m in published.modules() if isinstance(m, nn.MaxPool2d)]
    for size, expected in {224: 28, 375: 47, 500: 63, 512: 64, 1024: 128}.items():
        line = torch.zeros(1, 1, size, 1)
        for pool in pools:
            line = pool(line)
        assert line.shape[2] == expected


def test_weights_of_torchvision_go_in_by_name(tmp_path):
    tensors = torchvision_weights()
    torch.save(tensors, tmp_path / "vgg16.pth")
    network = build_sg_one(PUBLISHED)
    report = load_sg_one_weights(network, str(tmp_path / "vgg16.pth"))
    assert report.matched == report.total == 26
    loaded = network.trunk.encoder.state_dict()
    assert torch.equal(loaded["model.features.28.bias"], tensors["features.28.bias"])
    del tensors["features.19.bias"]
    torch.save(tensors, tmp_path / "cut.pth")
    with pytest.raises(CheckpointError, match="25 of 26"):
        load_sg_one_weights(network, str(tmp_path / "cut.pth"))


def test_any_encoder_and_decoder_can_be_the_trunk():
    network = build_sg_one(SMALL).eval()
    assert build_sg_one(network.description).description == network.description
    image = torch.rand(2, 3, 50, 70)
    with torch.no_grad():
        maps = network.maps(image)
        guidance, features = network.guidance(maps), network.features(maps)
    assert guidance.shape == (2, 12, 13, 18)
    assert features.shape == (2, 32, 13, 18)
    assert network.logits(features, guidance[:, :1], (50, 70)).shape == (2, 2, 50, 70)
    assert network.fit_mask(torch.ones(2, 50, 70)).shape == (2, 52, 72)
    used = {name for name, p in network.named_parameters() if p.requires_grad}
    assert not any("segmenter.head" in name for name in used)


def test_sg_one_t09_a_map_of_zeros_leaves_nothing_of_the_image(published):
    with torch.no_grad():
        features = published.features(published.maps(torch.rand(1, 3, 64, 96)))
        logits = published.logits(features, torch.zeros(1, 1, 8, 12), (64, 96))
        hidden = published.gate.layers[0].bias.relu()
        exit_layer = published.gate.layers[2]
        expected = exit_layer.weight[:, :, 0, 0] @ hidden + exit_layer.bias
    torch.testing.assert_close(logits, expected.view(1, 2, 1, 1).expand_as(logits))


def test_the_published_trunk_refuses_a_decoder():
    with pytest.raises(ConfigError, match="decoder=null"):
        build_sg_one({**PUBLISHED, "decoder": {"name": "fpn"}})
