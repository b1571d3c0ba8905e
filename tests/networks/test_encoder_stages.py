import pytest
import torch
from torch.nn import functional as F

from terrashot.errors import ConfigError
from terrashot.networks.build import build_segmenter, with_features


def trained(backbone="mobilenetv2_100", decoder="fpn"):
    torch.manual_seed(0)
    network = build_segmenter(
        {"backbone": {"name": backbone}, "decoder": {"name": decoder}, "num_classes": 4}
    )
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("backbone", "stages"),
    [("mobilenetv2_100", [16, 24, 32, 96, 320]), ("convnext_atto", [40, 80, 160, 320])],
)
def test_the_stages_stand_beside_the_decoders_map_and_the_logits_stay(backbone, stages):
    network = trained(backbone)
    wider = with_features(network, "stages")
    image = torch.rand(2, 3, 70, 101)
    with torch.no_grad():
        own, found = network.features(image), wider.features(image)
        assert found.shape == (2, network.channels + sum(stages), 18, 26)
        assert torch.equal(found[:, : network.channels], own)
        torch.testing.assert_close(wider(image), network(image), rtol=1e-5, atol=1e-6)
    assert wider.parts == (network.channels, sum(stages))
    assert wider.channels == sum(wider.parts)
    assert not wider.training


def test_fine_stages_are_averaged_and_coarse_ones_interpolated():
    network = trained()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        maps = network.encoder((image - network.mean) / network.std)
        found = with_features(network, "stages").features(image)[:, network.channels :]
    finest, second, *_, coarsest = found.split([16, 24, 32, 96, 320], dim=1)
    torch.testing.assert_close(finest, F.avg_pool2d(maps[1], 2))
    assert torch.equal(second, maps[2])
    # Stride 32 to 4: the middle of place 12 lies at 12.5 / 8 - 0.5 = 1.0625 features.
    row = maps[5][0, :, 0]
    torch.testing.assert_close(coarsest[0, :, 0, 12], 0.9375 * row[:, 1] + 0.0625 * row[:, 2])


def test_the_description_rebuilds_it():
    wider = with_features(trained(), "stages")
    again = build_segmenter(wider.description)
    again.load_state_dict(wider.state_dict(), strict=True)
    assert again.description == wider.description
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again.eval().features(image), wider.features(image))


def test_the_decoders_own_features_are_the_network_itself():
    network = trained()
    assert with_features(network, "decoder") is network


def test_features_that_are_there_are_not_put_beside_themselves():
    wider = with_features(trained(), "stages")
    assert with_features(wider, "stages") is wider
    assert with_features(wider, "auto") is wider
    with pytest.raises(ConfigError, match="stages already"):
        with_features(wider, "decoder")


def test_features_of_every_pixel_are_refused():
    with pytest.raises(
        ConfigError, match=r"decoder=unet has stride 1.*adaptation\.features=decoder"
    ):
        with_features(trained(decoder="unet"), "stages")


def test_by_itself_it_takes_the_stages_where_they_fit():
    fine, coarse = trained(decoder="unet"), trained()
    assert with_features(fine, "auto") is fine
    assert with_features(coarse, "auto").description["features"] == "stages"


def test_coarse_stages_are_kept_as_they_are_and_joined_to_the_same_features():
    wider = with_features(trained(), "stages")
    image = torch.rand(2, 3, 70, 101)  # padded to 96 x 128
    with torch.no_grad():
        maps, features = wider.maps(image), wider.features(image)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (128, 24, 32),
        (16, 24, 32),
        (24, 24, 32),
        (32, 12, 16),
        (96, 6, 8),
        (320, 3, 4),
    ]
    one = wider.join([m[1] for m in maps], (70, 101))
    assert torch.equal(one, features[1])


def test_unknown_features_are_an_error():
    with pytest.raises(ConfigError, match=r"adaptation\.features is 'both'.*auto, decoder, stages"):
        with_features(trained(), "both")
