"""The published ClassTrans checkpoint: what its features are, and what is refused."""

import pytest
import torch
from tests.fixtures.classtrans import random_values
from torch.nn import functional as F

import terrashot
from terrashot.errors import CheckpointError
from terrashot.model.checkpoints import ADAPTED, STAGE1, kind_of, read_checkpoint
from terrashot.model.stage1_file import load_base_classes, load_base_model, load_base_spec

MEAN, STD = [0.4449, 0.4570, 0.3919], [0.1662, 0.1492, 0.1505]


def reference_features(tensors, image):
    """Features [B, C, H/4, W/4] of the published network, written down from its tensors."""
    t = {name: value.to(image.dtype) for name, value in tensors.items()}

    def layer_norm(x, name):  # over the channels of each pixel
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], eps=1e-6)
        return x.permute(0, 3, 1, 2)

    def block(x, name):
        y = F.conv2d(
            x, t[f"{name}.conv_dw.weight"], t[f"{name}.conv_dw.bias"], padding=3, groups=x.shape[1]
        )
        y = layer_norm(y, f"{name}.norm").permute(0, 2, 3, 1)
        y = F.linear(y, t[f"{name}.mlp.fc1.weight"], t[f"{name}.mlp.fc1.bias"])
        y = F.linear(F.gelu(y), t[f"{name}.mlp.fc2.weight"], t[f"{name}.mlp.fc2.bias"])
        return x + (y * t[f"{name}.gamma"]).permute(0, 3, 1, 2)

    def conv_norm_relu(x, name):
        x = F.conv2d(x, t[f"{name}.0.weight"], t.get(f"{name}.0.bias"))
        if f"{name}.1.weight" in t:
            mean, variance = t[f"{name}.1.running_mean"], t[f"{name}.1.running_var"]
            x = F.batch_norm(x, mean, variance, t[f"{name}.1.weight"], t[f"{name}.1.bias"])
        return F.relu(x)

    def resized(x, like):
        return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)

    root = "model.encoder.model"
    x = F.conv2d(image, t[f"{root}.stem_0.weight"], t[f"{root}.stem_0.bias"], stride=4)
    x = layer_norm(x, f"{root}.stem_1")
    stages = []
    for stage, depth in enumerate([3, 3, 27, 3]):
        down = f"{root}.stages_{stage}.downsample"
        if stage:
            x = layer_norm(x, f"{down}.0")
            x = F.conv2d(x, t[f"{down}.1.weight"], t[f"{down}.1.bias"], stride=2)
        for number in range(depth):
            x = block(x, f"{root}.stages_{stage}.blocks.{number}")
        stages.append(x)

    last = stages[-1]
    pooled = [
        resized(
            conv_norm_relu(
                F.adaptive_avg_pool2d(last, cells), f"model.decoder.psp.blocks.{number}.pool.1"
            ),
            last,
        )
        for number, cells in enumerate([1, 2, 3, 6])
    ]
    levels = [conv_norm_relu(torch.cat([*pooled, last], 1), "model.decoder.psp_last_conv")]
    for name, stage in [("p4", stages[2]), ("p3", stages[1]), ("p2", stages[0])]:
        above = levels[-1].repeat_interleave(2, -1).repeat_interleave(2, -2)  # nearest
        levels.append(above + conv_norm_relu(stage, f"model.decoder.{name}.skip_conv"))
    total = sum(resized(level, levels[-1]) for level in levels)
    return conv_norm_relu(total, "model.decoder.conv_last")


def check_against_reference(segmenter, tensors, image):
    """Features and logits, within the rounding of the values' type."""
    mean, std = (torch.tensor(v, dtype=image.dtype).view(1, 3, 1, 1) for v in (MEAN, STD))
    tolerance = 1e-9 if image.dtype == torch.float64 else 1e-3
    segmenter = segmenter.to(image.dtype).eval()
    # Kept as float32 in the network, whatever it computes in.
    segmenter.mean, segmenter.std = mean, std
    with torch.no_grad():
        wanted = reference_features(tensors, (image - mean) / std)
        found = segmenter.features(image)
        assert wanted.std() > 0.01  # values that differ
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
        weight, bias = (tensors[f"classifier.{n}"].to(image.dtype) for n in ("weight", "bias"))
        logits = F.interpolate(
            F.conv2d(wanted, weight, bias),
            size=image.shape[-2:],
            mode="bilinear",
            align_corners=True,
        )
        torch.testing.assert_close(segmenter(image), logits, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_its_features_are_those_of_the_published_network(narrow, tmp_path, prefix):
    assert len(narrow) == 392
    path = tmp_path / "classtrans.pth"
    torch.save({prefix + name: value for name, value in narrow.items()}, path)
    base = load_base_model(path)
    image = torch.rand(2, 3, 96, 64, dtype=torch.float64, generator=torch.manual_seed(1))
    check_against_reference(base.segmenter, narrow, image)
    assert "392 tensors" in base.origin
    assert "340 of the encoder" in base.origin
    assert ("under module." in base.origin) == bool(prefix)
    assert base.taxonomy.names[1:3] == ["tree", "rangeland"]
    assert load_base_classes(path).names == base.taxonomy.names
    assert load_base_spec(path).mean == pytest.approx(MEAN)


def test_the_front_door_takes_it_and_keeps_align_corners(narrow, tmp_path):
    path = tmp_path / "classtrans.pth"
    # As torch wrote files before 1.6.
    torch.save(narrow, path, _use_new_zipfile_serialization=False)
    model = terrashot.load(path)
    assert model.network.align_corners
    assert len(model.classes) == 8
    assert "published ClassTrans checkpoint of 392 tensors" in repr(model)
    assert kind_of(path, (ADAPTED, STAGE1)) == STAGE1
    with pytest.raises(CheckpointError, match=r"is a stage-1 checkpoint, not an adapted"):
        read_checkpoint(path, ADAPTED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model.encoder.model.stem_0.bias": None}, r"missing: encoder\.model\.stem_0\.bias"),
        ({"model.decoder.p5.weight": torch.zeros(1)}, r"unknown: decoder\.p5\.weight"),
        ({"model.encoder.model.stem_0.bias": torch.zeros(3)}, r"another shape: encoder\.model"),
        ({"aux.weight": torch.zeros(1)}, r"unknown: aux\.weight"),
        ({"classifier.weight": torch.zeros(5, 6, 1, 1)}, r"5 outputs; 8 were expected.*tree"),
    ],
)
def test_every_tensor_has_its_place_or_none_is_taken(narrow, tmp_path, change, words):
    changed = {name: value for name, value in {**narrow, **change}.items() if value is not None}
    torch.save(changed, tmp_path / "changed.pth")
    with pytest.raises(CheckpointError, match=words):
        load_base_model(tmp_path / "changed.pth")


@pytest.mark.slow
def test_a_file_of_the_published_names_and_shapes_is_taken(keys, tmp_path):
    tensors = random_values(keys)
    path = tmp_path / "classtrans.pth"
    torch.save({f"module.{name}": value for name, value in tensors.items()}, path)
    base = load_base_model(path)
    assert base.segmenter.description["backbone"]["name"] == "convnext_large_mlp"
    image = torch.rand(1, 3, 64, 64, generator=torch.manual_seed(1))
    check_against_reference(base.segmenter, tensors, image)
