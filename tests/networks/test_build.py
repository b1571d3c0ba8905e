import json

import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.networks.build import build_segmenter
from terrashot.networks.decoders import DECODERS


def description(backbone="mobilenetv2_100", decoder="fpn", **options):
    return {
        "backbone": {"name": backbone},
        "decoder": {"name": decoder, **options},
        "num_classes": 4,
    }


@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "convnext_atto", "test_vit"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_description_and_a_state_dict_give_the_network_back(backbone, decoder):
    original = build_segmenter(description(backbone, decoder)).eval()
    rebuilt = build_segmenter(json.loads(json.dumps(original.description))).eval()
    assert rebuilt.description == original.description
    assert rebuilt.stride == original.stride
    image = torch.rand(1, 3, 40, 33)
    with torch.no_grad():
        assert not torch.equal(original(image), rebuilt(image))
        rebuilt.load_state_dict(original.state_dict(), strict=True)
        assert torch.equal(original(image), rebuilt(image))


def test_keys_about_weights_do_not_enter_the_description():
    given = description()
    given["backbone"] |= {"weights": "somewhere.pth", "source": "timm"}
    assert build_segmenter(given).description["backbone"] == {
        "name": "mobilenetv2_100",
        "drop_path": 0.0,
    }


def test_decoder_options_reach_the_network():
    assert build_segmenter(description(segmentation_channels=32)).channels == 32
    deeper = build_segmenter(description(decoder="pspnet", encoder_depth=4))
    assert deeper.stride == 16
    assert build_segmenter(description(decoder="upernet", channels=64)).channels == 64


def test_a_backbone_of_the_efficientnet_family_loses_the_stages_nobody_reads():
    shallow = build_segmenter(description("efficientnet_b0", "pspnet"))
    full = build_segmenter(description("efficientnet_b0", "fpn"))
    assert len(shallow.encoder.model.blocks) < len(full.encoder.model.blocks)
    shallow(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in shallow.parameters())


def test_drop_path_acts_in_training_only():
    given = description("convnext_atto")
    given["backbone"]["drop_path"] = 0.5
    encoder = build_segmenter(given).encoder
    image = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        torch.manual_seed(0)
        first = encoder(image)[-1]
        assert not torch.equal(first, encoder(image)[-1])
        encoder.eval()
        assert torch.equal(encoder(image)[-1], encoder(image)[-1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backbone": {"name": "mobilnetv2_100"}}, ["mobilnetv2_100", "mobilenetv2_100"]),
        ({"backbone": {"name": "resnet50.a1_in1k"}}, ["backbone.weights=a1_in1k"]),
        ({"backbone": {"name": "beit_base_patch16_224"}}, ["beit_base_patch16_224", "plain"]),
        ({"backbone": {"name": "swin_tiny_patch4_window7_224"}}, ["swin_tiny", "any size"]),
        ({"backbone": {"name": "resnet18", "pretrained": True}}, ["backbone.pretrained"]),
        ({"backbone": None}, ["backbone", "name"]),
        ({"backbone": {"name": "resnet18", "drop_path": 2}}, ["drop_path=2"]),
        ({"decoder": {"name": "upper"}}, ["upper", "upernet"]),
        ({"decoder": {"name": "fpn", "channels": 64}}, ["decoder.channels", "pyramid_channels"]),
        ({"decoder": {"name": "upernet", "channels": "many"}}, ["decoder.channels=many"]),
        ({"decoder": {"name": "unet", "channels": [8, 8]}}, ["list of 5"]),
        ({"decoder": {"name": "deeplabv3plus", "output_stride": 32}}, ["output_stride=32", "8"]),
        (
            {"decoder": {"name": "upernet_classtrans", "align_corners": 1}},
            ["decoder.align_corners=1", "true or false"],
        ),
        ({"num_classes": 1}, ["num_classes"]),
        ({"mean": [0.5]}, ["data.mean", "3 channel(s)"]),
        ({"std": [0.1, 0.0, 0.1]}, ["std"]),
    ],
)
def test_a_description_that_cannot_be_built_is_refused_with_the_key(change, words):
    with pytest.raises(ConfigError) as caught:
        build_segmenter({**description(), **change})
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
