import math

import pytest
import torch

from terrashot.networks.build import build_segmenter

BACKBONES = ["mobilenetv2_100", "convnext_atto"]
STRIDES = {
    "upernet": 4,
    "upernet_classtrans": 4,
    "fpn": 4,
    "unet": 1,
    "pspnet": 8,
    "deeplabv3plus": 4,
}
CHANNELS = {
    "upernet": 256,
    "upernet_classtrans": 256,
    "fpn": 128,
    "unet": 16,
    "pspnet": 512,
    "deeplabv3plus": 256,
}


def segmenter(backbone="mobilenetv2_100", decoder="fpn", **options):
    torch.manual_seed(0)
    return build_segmenter(
        {
            "backbone": {"name": backbone},
            "decoder": {"name": decoder, **options},
            "num_classes": 5,
        }
    )


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("decoder", STRIDES)
def test_features_and_logits_fit_an_odd_sized_image_and_every_parameter_learns(backbone, decoder):
    network = segmenter(backbone, decoder)
    stride = STRIDES[decoder]
    # One image in training mode: batch norms behind a global pooling see one value a channel.
    image = torch.rand(1, 3, 97, 130)
    features = network.features(image)
    assert network.stride == stride
    assert network.channels == CHANNELS[decoder]
    rows, columns = math.ceil(97 / stride), math.ceil(130 / stride)
    assert features.shape == (1, CHANNELS[decoder], rows, columns)
    logits = network(image)
    assert logits.shape == (1, 5, 97, 130)
    (logits * torch.randn_like(logits)).mean().backward()
    # A parameter without gradient would stop distributed training.
    idle = [name for name, p in network.named_parameters() if p.grad is None]
    assert idle == []
    assert any(p.grad.abs().sum() > 0 for p in network.encoder.parameters())


@pytest.mark.parametrize("decoder", STRIDES)
def test_evaluation_is_deterministic_and_images_of_a_batch_are_independent(decoder):
    network = segmenter("mobilenetv2_100", decoder).double().eval()
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        together = network(images)
        assert torch.equal(together, network(images))
        alone = network(images[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-9, atol=1e-9)


def test_the_head_on_the_features_gives_the_logits():
    network = segmenter().eval()
    image = torch.rand(1, 3, 70, 50)
    with torch.no_grad():
        logits = network.head(network.features(image))
        assert torch.equal(network.upsample(logits, 70, 50), network(image))


def test_padding_has_the_mean_colour():
    network = segmenter().eval()
    image = torch.rand(1, 3, 50, 40)
    padded = network.mean.expand(1, 3, 64, 64).clone()
    padded[..., :50, :40] = image
    with torch.no_grad():
        expected = network.features(padded)[..., :13, :10]
        torch.testing.assert_close(network.features(image), expected, rtol=1e-5, atol=1e-5)


def test_upsampling_keeps_each_cell_on_its_own_pixels():
    network = segmenter()
    # A step between the second and third column of cells stays at pixel 2 * stride.
    maps = torch.zeros(1, 1, 3, 4)
    maps[..., 2:] = 1
    full = network.upsample(maps, 10, 13)
    assert full.shape == (1, 1, 10, 13)
    assert (full[..., :8] < 0.5).all()
    assert (full[..., 8:] > 0.5).all()


def test_normalisation_uses_the_descriptions_statistics():
    torch.manual_seed(0)
    network = build_segmenter({**segmenter().description, "mean": [0.1, 0.2, 0.3]}).eval()
    seen = []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    colour = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    with torch.no_grad():
        network(colour.expand(1, 3, 32, 32))
    assert seen[0].abs().max() == 0


def test_channels_lie_side_by_side_but_for_a_single_thread_in_full_precision(monkeypatch):
    network, image = segmenter("mobilenetv2_050").eval(), torch.rand(1, 3, 64, 96)

    def channels_last():
        return network.features(image).is_contiguous(memory_format=torch.channels_last)

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert channels_last()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert not channels_last()
    with torch.autocast("cpu", torch.bfloat16):
        assert channels_last()
