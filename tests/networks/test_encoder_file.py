"""encoder.pt: what goes over to stage 1, and what is refused."""

import pytest
import timm
import torch

from terrashot.errors import CheckpointError
from terrashot.model.stage1_file import load_base_model
from terrashot.networks.backbone_weights import load_backbone_weights, load_encoder_weights
from terrashot.networks.build import build_segmenter
from terrashot.networks.encoder_file import read_header, save_encoder
from terrashot.papers.false.network.embedder import Embedder
from terrashot.papers.sg_one.network.build import build_sg_one, load_sg_one_weights

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.2, 0.3]


def embedder(name="mobilenetv2_050"):
    torch.manual_seed(0)
    return Embedder(name, MEAN, STD, head_hidden=16, head_dim=8)


def segmenter(name="mobilenetv2_050", mean=MEAN, std=STD, decoder="fpn"):
    torch.manual_seed(1)
    return build_segmenter(
        {"backbone": {"name": name}, "decoder": {"name": decoder}, "num_classes": 3,
         "mean": mean, "std": std}
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    def save(network):
        path = tmp_path / "encoder.pt"
        save_encoder(path, network.encoder, network.description, {"epochs": 1})
        return path

    return save


@pytest.mark.parametrize("name", ["mobilenetv2_050", "resnet18", "convnext_atto", "test_vit"])
@pytest.mark.parametrize("decoder", ["fpn", "pspnet"])
def test_false_t12_the_file_holds_timms_names_and_fills_every_encoder_tensor(saved, name, decoder):
    network = embedder(name)
    with torch.no_grad():
        for tensor in network.encoder.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    path = saved(network)
    content = torch.load(path, weights_only=True)
    names = set(timm.create_model(name).state_dict())
    assert set(content["state_dict"]) <= names
    assert not any("head.first" in key or "head.last" in key for key in content["state_dict"])

    target = segmenter(name, decoder=decoder)
    before = {k: v.clone() for k, v in target.state_dict().items()}
    report = load_backbone_weights(target, str(path))
    assert report.matched == report.total == len(target.encoder.state_dict())
    assert report.missing == []
    ours = network.encoder.state_dict()
    for key, value in target.encoder.state_dict().items():
        assert torch.equal(value, ours[key]), key
    after = target.state_dict()
    changed = {k for k in after if not torch.equal(after[k], before[k])}
    assert changed
    assert all(key.startswith("encoder.") for key in changed)
    if decoder == "fpn":
        image = torch.rand(2, 3, 64, 64)
        network.eval(), target.eval()
        deepest = target.encoder((image - target.mean) / target.std)[-1].mean((-2, -1))
        torch.testing.assert_close(network.features(image), deepest)


def test_the_header_is_plain_values(saved):
    header = read_header(saved(embedder()))
    assert header == {
        "format": 1, "arch": "mobilenetv2_050", "in_chans": 3, "mean": MEAN, "std": STD,
        "epochs": 1,
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"mean": [0.4, 0.5, 0.61]}, {"std": [0.2, 0.21, 0.3]}])
def test_other_image_statistics_are_refused_with_those_that_fit(saved, change):
    path = saved(embedder())
    with pytest.raises(CheckpointError) as caught:
        load_backbone_weights(segmenter(**change), str(path))
    assert "data.mean=[0.4000,0.5000,0.6000] data.std=[0.2000,0.2000,0.3000]" in str(caught.value)
    assert str(path) in str(caught.value)


def test_sg_one_refuses_other_image_statistics_too(saved):
    backbone = {"name": "mobilenetv2_050"}
    description = {"backbone": backbone, "decoder": {"name": "fpn"}, "mean": MEAN, "std": STD}
    load_sg_one_weights(build_sg_one(description), str(saved(embedder())))
    other = build_sg_one({**description, "std": [0.2, 0.21, 0.3]})
    with pytest.raises(CheckpointError, match=r"data\.mean=.* data\.std="):
        load_sg_one_weights(other, str(saved(embedder())))


def test_statistics_that_differ_by_rounding_pass(saved):
    network = segmenter(mean=[0.40001, 0.5, 0.6])
    load_backbone_weights(network, str(saved(embedder())))


def test_another_network_is_refused(saved):
    with pytest.raises(CheckpointError, match=r"Set backbone\.name=mobilenetv2_050"):
        load_backbone_weights(segmenter("mobilenetv2_100"), str(saved(embedder())))


@pytest.mark.parametrize("part", ["running_var", "conv_stem.weight"])
def test_less_than_every_tensor_is_refused_and_nothing_is_loaded(saved, part):
    path = saved(embedder())
    content = torch.load(path, weights_only=True)
    gone = next(key for key in content["state_dict"] if part in key)
    del content["state_dict"][gone]
    torch.save(content, path)
    target = segmenter()
    before = {k: v.clone() for k, v in target.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"missing .*All of the encoder is expected"):
        load_backbone_weights(target, str(path))
    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


def test_stage_2_does_not_take_it_for_a_checkpoint(saved):
    with pytest.raises(CheckpointError, match=r"backbone\.weights=PATH"):
        load_base_model(saved(embedder()))


def test_pretraining_can_start_from_published_weights(shared):
    network = Embedder("mobilenetv2_100", MEAN, STD)
    weights = shared / "weights" / "mobilenetv2_100_imagenet.pth"
    report = load_encoder_weights(
        network.encoder, "mobilenetv2_100", str(weights), statistics=(MEAN, STD)
    )
    assert report.matched == report.total
