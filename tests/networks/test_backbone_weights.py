import copy

import open_clip
import pytest
import timm
import torch
from open_clip.timm_model import TimmModel
from safetensors.torch import save_file

from terrashot.errors import CheckpointError
from terrashot.networks.backbone_weights import load_backbone_weights
from terrashot.networks.build import build_segmenter

TINY = "convnext_atto"


def segmenter(name=TINY, decoder="fpn"):
    return build_segmenter(
        {"backbone": {"name": name}, "decoder": {"name": decoder}, "num_classes": 3}
    )


def saved(path, content):
    torch.save(content, path)
    return str(path)


def published(model):
    """Weights under which every tensor counts (ConvNeXt starts with block scales of 1e-6)."""
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def assert_same_stages(network, model):
    """The encoder computes what the whole model computes: names, values and layout agree."""
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = network.encoder.eval()(image)
        stages = model.eval().forward_intermediates(image, intermediates_only=True)
    expected = {tuple(x.shape): x for x in stages}
    compared = [x for x in maps[1:] if x.shape[1] > 0]
    assert len(compared) >= 4
    for x in compared:
        torch.testing.assert_close(x, expected[tuple(x.shape)], rtol=1e-4, atol=1e-5)


def test_the_trunk_of_a_vissl_checkpoint_is_taken(tmp_path):
    """Where VISSL keeps its network, beside the heads, a loss and counters."""
    model = published(timm.create_model("resnet18"))
    trunk = {
        f"_feature_blocks.{name}": value
        for name, value in model.state_dict().items()
        if not name.startswith("fc.")
    }
    heads = {"0.clf.0.weight": torch.zeros(4, 512)}
    base = {"model": {"trunk": trunk, "heads": heads}, "meta": {"iteration": 7}}
    content = {"phase_idx": 3, "loss": {}, "classy_state_dict": {"base_model": base, "phase": 1}}
    network = segmenter("resnet18")
    report = load_backbone_weights(network, saved(tmp_path / "vissl.torch", content))
    assert report.matched == report.total
    assert_same_stages(network, model)


def test_shared_mobilenet_weights_fill_the_whole_encoder(shared):
    path = shared / "weights" / "mobilenetv2_100_imagenet.pth"
    network = segmenter("mobilenetv2_100")
    head = network.head.weight.clone()
    report = load_backbone_weights(network, str(path))
    assert report.matched == report.total == len(network.encoder.state_dict())
    assert report.missing == []
    assert "classifier.weight" in report.unexpected
    assert f"{report.total} of {report.total} tensors from {path}" in report.summary()
    stored = torch.load(path, weights_only=True)
    assert torch.equal(network.encoder.model.conv_stem.weight, stored["conv_stem.weight"])
    assert torch.equal(network.head.weight, head)


def test_without_weights_nothing_changes_and_the_report_says_random():
    network = segmenter()
    before = copy.deepcopy(network.state_dict())
    report = load_backbone_weights(network, None)
    assert report.matched == 0
    assert "random weights" in report.summary()
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        (TINY, "plain"),
        (TINY, "state_dict"),
        (TINY, "model"),
        (TINY, "encoder"),
        ("mobilenetv2_100", "plain"),
        ("resnet18", "prefixes"),
    ],
)
def test_timm_state_dicts_load_however_they_are_wrapped(tmp_path, name, wrap):
    model = published(timm.create_model(name, num_classes=7))
    state = model.state_dict()
    if wrap == "prefixes":
        content = {"state_dict": {f"module.backbone.{key}": v for key, v in state.items()}}
    else:
        content = state if wrap == "plain" else {wrap: state, "epoch": 3}
    network = segmenter(name)
    report = load_backbone_weights(network, saved(tmp_path / "weights.pth", content))
    assert report.matched == report.total
    # Everything of the file is accounted for: loaded or named as no part of the encoder.
    assert report.matched + len(report.unexpected) == len(state)
    assert_same_stages(network, model)


def test_safetensors_load(tmp_path):
    model = published(timm.create_model(TINY))
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    network = segmenter()
    load_backbone_weights(network, str(tmp_path / "weights.safetensors"))
    assert_same_stages(network, model)


def test_a_segmenters_own_checkpoint_is_a_source_for_another_decoder(tmp_path):
    trained = segmenter(decoder="fpn")
    content = {"state_dict": {f"network.{key}": v for key, v in trained.state_dict().items()}}
    network = segmenter(decoder="unet")
    report = load_backbone_weights(network, saved(tmp_path / "stage1.ckpt", content))
    assert report.matched == report.total
    for key, value in trained.encoder.state_dict().items():
        assert torch.equal(network.encoder.state_dict()[key], value)


def test_the_visual_trunk_of_an_open_clip_checkpoint_is_mapped_key_by_key(tmp_path):
    # The same class, layout and projection as convnext_large_d_320, at the smallest size.
    visual = published(TimmModel(TINY, embed_dim=8, pool="", proj="mlp", drop_path=0.1))
    clip = {f"visual.{key}": value for key, value in visual.state_dict().items()}
    clip |= {"logit_scale": torch.ones(()), "transformer.resblocks.0.ln_1.weight": torch.ones(4)}
    network = segmenter()
    path = saved(tmp_path / "open_clip.bin", clip)
    report = load_backbone_weights(network, path, "open_clip", "convnext_large_d_320")
    assert report.matched == report.total
    assert report.missing == []
    inside = [key for key in report.unexpected if key.startswith("visual.trunk.")]
    assert all(key.startswith("visual.trunk.head.") for key in inside)
    assert {"logit_scale", "visual.head.mlp.fc1.weight"} <= set(report.unexpected)
    assert_same_stages(network, visual.trunk)


@pytest.mark.parametrize("name", [TINY, "efficientnet_b0"])
def test_a_shortened_encoder_takes_its_stages_of_a_full_checkpoint(tmp_path, name):
    path = saved(tmp_path / "full.pth", timm.create_model(name).state_dict())
    report = load_backbone_weights(segmenter(name, "pspnet"), path)
    assert report.matched == report.total


def test_absent_batch_counters_are_allowed_and_said(tmp_path):
    state = timm.create_model("resnet18").state_dict()
    old = {key: value for key, value in state.items() if "num_batches_tracked" not in key}
    report = load_backbone_weights(segmenter("resnet18"), saved(tmp_path / "old.pth", old))
    assert len(report.missing) == report.total - report.matched > 0
    assert "num_batches_tracked" in report.summary()


def missing_tensor(state):
    del state["stages.1.blocks.0.norm.weight"]
    return ["stages_1.blocks.0.norm.weight", "missing"]


def other_shape(state):
    state["stem.0.weight"] = torch.zeros(40, 4, 4, 4)
    return ["stem_0.weight", "shape"]


def deeper_model(state):
    state["stages.2.blocks.40.norm.weight"] = torch.ones(160)
    return ["stages.2.blocks.40.norm.weight", "unknown to the encoder"]


def another_model(state):
    state.clear()
    state.update({key: v for key, v in timm.create_model("resnet18").state_dict().items()})
    return ["0 of"]


@pytest.mark.parametrize("spoil", [missing_tensor, other_shape, deeper_model, another_model])
def test_less_or_more_than_the_encoder_is_refused_and_leaves_it_untouched(tmp_path, spoil):
    state = timm.create_model(TINY).state_dict()
    words = spoil(state)
    network = segmenter()
    before = copy.deepcopy(network.state_dict())
    path = saved(tmp_path / "spoiled.pth", state)
    with pytest.raises(CheckpointError) as caught:
        load_backbone_weights(network, path)
    message = str(caught.value)
    total = len(network.encoder.state_dict())
    for word in [path, f"of {total} tensors match", TINY, *words]:
        assert word in message
    assert "\n" not in message
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_deeper_sibling_with_equal_shapes_is_not_taken_for_the_model(tmp_path):
    # All tensors of resnet50 stand in resnet101 with the same shapes.
    with torch.device("meta"):
        names = timm.create_model("resnet101").state_dict()
    state = {key: torch.zeros(value.shape) for key, value in names.items()}
    with pytest.raises(CheckpointError, match=r"layer3\.6"):
        load_backbone_weights(segmenter("resnet50"), saved(tmp_path / "r101.pth", state))


def test_a_timm_tag_loads_what_timm_returns(monkeypatch):
    model = published(timm.create_model(TINY))
    asked = []

    def create_model(name, **options):
        asked.append((name, options))
        return model

    network = segmenter()
    monkeypatch.setattr("terrashot.networks.weight_tags.timm.create_model", create_model)
    report = load_backbone_weights(network, "d2_in1k")
    monkeypatch.undo()
    assert (f"{TINY}.d2_in1k", {"pretrained": True}) in asked
    assert report.matched == report.total
    assert_same_stages(network, model)


def test_an_open_clip_tag_loads_the_downloaded_file(monkeypatch, tmp_path):
    visual = published(TimmModel(TINY, embed_dim=8, pool="", proj="mlp"))
    state = {f"visual.{key}": value for key, value in visual.state_dict().items()}
    path = saved(tmp_path / "downloaded.bin", state)
    monkeypatch.setattr("open_clip.pretrained.download_pretrained", lambda _: path)
    network = segmenter()
    tag = "laion2b_s29b_b131k_ft_soup"
    report = load_backbone_weights(network, tag, "open_clip", "convnext_large_d_320")
    assert tag in report.source
    assert report.matched == report.total
    assert_same_stages(network, visual.trunk)


@pytest.mark.slow
def test_clip_convnext_large_takes_an_open_clip_trunk_one_to_one(tmp_path):
    settings = open_clip.get_model_config("convnext_large_d_320")["vision_cfg"]
    visual = TimmModel(
        settings["timm_model_name"],
        embed_dim=768,
        image_size=settings["image_size"],
        pool=settings["timm_pool"],
        proj=settings["timm_proj"],
        drop_path=settings["timm_drop_path"],
    )
    state = {f"visual.{key}": value for key, value in visual.state_dict().items()}
    path = saved(tmp_path / "open_clip_model.bin", state)
    network = segmenter("convnext_large_mlp", "upernet")
    report = load_backbone_weights(network, path, "open_clip", "convnext_large_d_320")

    encoder = network.encoder.state_dict()
    assert report.matched == report.total == len(encoder)
    assert report.missing == []
    # Of the trunk only the norm behind its global pooling has no place in a dense encoder.
    trunk = {key for key in state if key.startswith("visual.trunk.")}
    unused = trunk & set(report.unexpected)
    assert unused == {"visual.trunk.head.norm.weight", "visual.trunk.head.norm.bias"}
    assert len(trunk) - len(unused) == report.matched
    # One to one, with open_clip's names rebuilt from the encoder's: stages_0.x -> stages.0.x.
    for key, value in encoder.items():
        head, _, rest = key.removeprefix("model.").partition(".")
        source = f"visual.trunk.{head.replace('_', '.')}.{rest}"
        assert torch.equal(value, state[source]), key

    assert network.encoder.out_channels == [3, 0, 192, 384, 768, 1536]
    with torch.no_grad():
        features = network.eval().features(torch.rand(1, 3, 512, 512))
    assert features.shape == (1, 256, 128, 128)
    assert network.stride == 4
    assert features.min() >= 0
    assert features.max() > 0
