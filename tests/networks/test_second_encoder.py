import pytest
import timm
import torch
from torch.nn import functional as F

from terrashot.errors import CheckpointError, ConfigError
from terrashot.networks.build import build_segmenter, with_features
from terrashot.networks.encoder_file import save_encoder
from terrashot.networks.second_encoder import Second


def trained(decoder="fpn", **more):
    torch.manual_seed(0)
    network = build_segmenter(
        {
            "backbone": {"name": "mobilenetv2_050"},
            "decoder": {"name": decoder},
            "num_classes": 4,
            **more,
        }
    )
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of weights as timm has them, by architecture."""
    folder = tmp_path_factory.mktemp("weights")

    def file(name):
        path = folder / f"{name}.pth"
        if not path.is_file():
            torch.manual_seed(1)
            torch.save(timm.create_model(name).state_dict(), path)
        return str(path)

    return file


@pytest.mark.parametrize("name", ["mobilenetv2_050", "test_vit"])
def test_its_stages_come_last_and_the_logits_stay(weights, name):
    network = trained()
    wider, report = Second(name, weights(name)).beside(with_features(network, "stages"))
    assert report.matched == report.total
    assert wider.parts == (128, 8 + 16 + 16 + 48 + 160, wider.second.channels)
    assert wider.channels == sum(wider.parts)
    assert not wider.training
    assert not any(p.requires_grad for p in wider.parameters())
    image = torch.rand(2, 3, 70, 101)
    with torch.no_grad():
        own, found = network.features(image), wider.features(image)
        assert torch.equal(found[:, :128], own)
        torch.testing.assert_close(wider(image), network(image), rtol=1e-5, atol=1e-6)
        coarsest = wider.maps(image)[-1]
    # Kept at its own stride: tokens of 16, stages up to 32 pixels.
    assert coarsest.shape[-2:] == ((6, 8) if name == "test_vit" else (3, 4))


def test_it_sees_images_as_its_weights_were_trained(weights):
    wider, _ = Second("test_vit", weights("test_vit")).beside(trained())
    assert wider.second.description["mean"] == [0.5, 0.5, 0.5]  # timm's record of test_vit
    model = timm.create_model("test_vit", dynamic_img_size=True).eval()
    model.load_state_dict(torch.load(weights("test_vit"), weights_only=True))
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        tokens = wider.maps(image)[-1]
        expected = model.forward_features(image * 2 - 1)[:, 1:]
    torch.testing.assert_close(tokens.flatten(2).transpose(1, 2), expected, rtol=1e-3, atol=1e-4)


def test_the_headers_of_our_own_files_say_how_they_were_trained(tmp_path):
    network = trained(mean=[0.1, 0.2, 0.3], std=[0.2, 0.2, 0.2])
    save_encoder(tmp_path / "encoder.pt", network.encoder, network.description, {})
    wider, _ = Second("mobilenetv2_050", str(tmp_path / "encoder.pt")).beside(trained())
    assert wider.second.description["mean"] == [0.1, 0.2, 0.3]
    # The encoder of that network on that network's images.
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = network.encoder((image - network.mean) / network.std)
        found = wider.maps(image)[1:]
    torch.testing.assert_close(found[0], F.avg_pool2d(expected[1], 2), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found[-1], expected[-1], rtol=1e-3, atol=1e-4)


def test_other_bands_are_seen_as_the_network_sees_them(weights):
    network = trained(mean=[0.4] * 4, std=[0.2] * 4, imagery={"bands": [1, 2, 3, 4]})
    wider, report = Second("test_vit", weights("test_vit")).beside(network)
    assert "repeated from 3 colours to 4 band(s)" in report.adapted
    assert wider.second.description["mean"] == [0.4] * 4
    assert wider.features(torch.rand(1, 4, 64, 64)).shape[1] == wider.channels


def test_the_description_rebuilds_it_with_the_weights_of_the_state(weights):
    network = with_features(trained(), "stages")
    wider, _ = Second("test_vit", weights("test_vit")).beside(network)
    again = build_segmenter(wider.description)
    assert again.description == wider.description
    assert again.second.digest() != wider.second.digest()
    again.load_state_dict(wider.state_dict(), strict=True)
    assert again.second.digest() == wider.second.digest()
    image = torch.rand(1, 3, 70, 64)
    with torch.no_grad():
        assert torch.equal(again.eval().features(image), wider.features(image))


def test_it_is_put_beside_a_network_once_and_of_coarse_features_only(weights):
    second = Second("test_vit", weights("test_vit"))
    with pytest.raises(ConfigError, match="already"):
        second.beside(second.beside(trained())[0])
    with pytest.raises(ConfigError, match=r"decoder=unet has stride 1.*second\.name=null"):
        second.beside(trained("unet"))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"name": "test_vitt", "weights": True}, ConfigError, r"second\.name=test_vitt is no timm"),
        ({"name": "test_vit.r160_in1k"}, ConfigError, r"second\.weights=r160_in1k"),
        ({"name": "test_vit"}, ConfigError, r"second\.weights is None"),
        ({"name": "test_vit", "weights": 3}, ConfigError, r"second\.weights is 3"),
        ({"weights": "a.pth"}, ConfigError, r"second\.name is null"),
        ({"name": "test_vit", "weights": "no/such.pth"}, CheckpointError, "no such file"),
        ({"name": "test_vit", "wieghts": True}, ConfigError, r"second\.wieghts"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_built(given, error, words):
    with pytest.raises(error, match=words):
        Second.of(given)


def test_weights_and_tags_of_another_model_are_told_with_the_settings_own_names(weights):
    with pytest.raises(CheckpointError, match=r"do not fit adaptation\.second\.name=test_vit"):
        Second("test_vit", weights("mobilenetv2_050")).beside(trained())
    with pytest.raises(ConfigError, match=r"adaptation\.second\.weights=in99k is neither"):
        Second("test_vit", "in99k").beside(trained())
    with pytest.raises(ConfigError, match=r"second\.name=beit_base_patch16_224 cannot"):
        Second("beit_base_patch16_224", True).beside(trained())
