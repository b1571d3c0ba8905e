import pytest
import timm
import torch
from torch.nn import functional as F

from terrashot.errors import ConfigError
from terrashot.networks.build import build_segmenter, with_features
from terrashot.networks.encoder import build_encoder
from terrashot.networks.vit import ViTEncoder, is_plain_vit


def encoder_of(name, **options):
    torch.manual_seed(0)
    return build_encoder(name, **options).eval().requires_grad_(False)


def network(name="test_vit", decoder="fpn", **options):
    torch.manual_seed(0)
    given = {"backbone": {"name": name}, "decoder": {"name": decoder, **options}, "num_classes": 3}
    return build_segmenter(given)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("test_vit", 224),
        ("test_vit2", 224),  # a register token, no class token, no norm at its end
        ("deit_tiny_distilled_patch16_224", 224),
        ("vit_small_patch16_dinov3_qkvb", 256),  # rotary positions
        ("eva02_tiny_patch14_224", 256),  # 16 patches of 14 pixels a side
    ],
)
def test_the_map_is_of_timms_own_tokens(name, side):
    encoder = encoder_of(name)
    model = timm.create_model(name).eval()
    left_out = model.load_state_dict(encoder.model.state_dict(), strict=False)
    assert not left_out.unexpected_keys
    image = torch.rand(1, 3, side, side)
    own = image if encoder.patch == 16 else F.interpolate(image, (224, 224), mode="bilinear")
    with torch.no_grad():
        given, tokens = encoder(image)
        expected = model.forward_features(own)[:, model.num_prefix_tokens :]
    assert given is image
    assert tokens.shape == (1, encoder.out_channels[1], side // 16, side // 16)
    torch.testing.assert_close(tokens.flatten(2).transpose(1, 2), expected)


@pytest.mark.parametrize("name", ["test_vit", "eva02_tiny_patch14_224"])
def test_an_image_of_any_size_is_padded_to_whole_tokens(name):
    encoder = encoder_of(name)
    image = torch.rand(1, 3, 40, 70)
    with torch.no_grad():
        tokens = encoder(image)[1]
        padded = encoder(F.pad(image, (0, 10, 0, 8)))[1]
    assert tokens.shape[-2:] == (3, 5)
    assert torch.equal(tokens, padded)


def test_features_of_odd_images_have_the_decoders_stride():
    whole = network("eva02_tiny_patch14_224").eval()
    with torch.no_grad():
        assert whole.stride == 4
        assert whole.features(torch.rand(1, 3, 70, 101)).shape[-2:] == (18, 26)
        assert whole(torch.rand(1, 3, 70, 101)).shape == (1, 3, 70, 101)


@pytest.mark.parametrize(
    ("name", "stride"),
    [("vit_tiny_patch16_224", 16), ("vit_small_patch8_224", 8), ("vit_small_patch32_224", 32)],
)
def test_the_stride_is_that_of_the_patches(name, stride):
    assert is_plain_vit(name)
    with torch.device("meta"):
        encoder = ViTEncoder(name, channels=4)
    assert encoder.stride == encoder.patch == stride
    assert encoder.model.patch_embed.proj.weight.shape[1] == 4


def test_stochastic_depth_reaches_the_blocks():
    encoder = build_encoder("test_vit", drop_path=0.5)
    assert encoder.model.blocks[-1].drop_path1.drop_prob == 0.5


def test_windowed_and_fixed_transformers_are_no_plain_ones():
    assert not is_plain_vit("beit_base_patch16_224")
    assert not is_plain_vit("swin_tiny_patch4_window7_224")
    with pytest.raises(ConfigError, match=r"second\.name=beit_base.*plain vision transformer"):
        build_encoder("beit_base_patch16_224", group="second")


@pytest.mark.parametrize("decoder", ["fpn", "pspnet", "deeplabv3plus"])
def test_every_parameter_learns(decoder):
    whole = network(decoder=decoder)
    whole(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in whole.named_parameters() if p.grad is None] == []


def test_its_stage_beside_the_decoder_is_the_map_of_tokens():
    whole = network().eval().requires_grad_(False)
    wider = with_features(whole, "stages")
    assert wider.parts == (128, 64)
    image = torch.rand(1, 3, 70, 101)  # padded to 96 x 128
    with torch.no_grad():
        decoded, tokens = wider.maps(image)
        assert torch.equal(wider(image), whole(image))
        x = F.pad((image - whole.mean) / whole.std, (0, 27, 0, 26))
        assert torch.equal(tokens, whole.encoder(x)[1])
    assert decoded.shape == (1, 128, 24, 32)
    assert tokens.shape == (1, 64, 6, 8)
    again = build_segmenter(wider.description)
    again.load_state_dict(wider.state_dict(), strict=True)
