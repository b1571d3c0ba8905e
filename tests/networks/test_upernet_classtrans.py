"""The published ClassTrans decoder, number for number."""

import numpy as np
import pytest
import torch

from terrashot.networks.build import build_segmenter
from terrashot.networks.decoders import build_decoder


def description(**options):
    return {
        "backbone": {"name": "mobilenetv2_050"},
        "decoder": {
            "name": "upernet_classtrans",
            "channels": 8,
            "pooling_channels": 8,
            **options,
        },
        "num_classes": 3,
    }


def test_golden_decoder_in_double_precision(repository):
    stored = np.load(repository / "tests/golden/classtrans_upernet.npz")
    weights = {
        name.removeprefix("weight:"): torch.from_numpy(stored[name])
        for name in stored.files
        if name.startswith("weight:")
    }
    features = [torch.from_numpy(stored[f"feature{level}"]) for level in range(4)]
    options = {"channels": 8, "pooling_channels": 16}
    decoder = build_decoder("upernet_classtrans", [12, 20, 28, 36], options).double().eval()
    decoder.load_state_dict(weights, strict=True)
    with torch.no_grad():
        output = decoder(features)
    assert np.abs(output.numpy() - stored["output"]).max() < 1e-10


def test_on_convnext_large_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        decoder = build_decoder(
            "upernet_classtrans",
            [3, 0, 192, 384, 768, 1536],
            {"channels": 256, "pooling_channels": 512},
        )
    assert sum(p.numel() for p in decoder.parameters()) == 4_478_976


@pytest.mark.parametrize("align_corners", [True, False])
def test_logits_are_upsampled_as_the_option_says(align_corners):
    network = build_segmenter(description(align_corners=align_corners)).double().eval()
    image = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        coarse = network.head(network.features(image))
        logits = network(image)
    expected = torch.nn.functional.interpolate(
        coarse, size=(64, 96), mode="bilinear", align_corners=align_corners
    )
    assert torch.equal(logits, expected)
