import pytest
import torch
from torch import nn

from terrashot.adaptation.inference import Inference

KINDS = ["none", "rank_one", "shared", "full"]


@pytest.mark.parametrize("features", ["decoder", "stages"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gets_the_numbers_of_the_per_tile_path(make_adapted, kind, features):
    how = Inference(smoothing=3, window="gaussian") if kind == "rank_one" else Inference()
    model = make_adapted(kind, how, features=features)
    images = torch.rand(2, 3, 70, 53)  # no multiples of the stride
    found = model(images)
    assert found.shape == (2, 5, 70, 53)
    assert found.dtype == torch.float32
    for joined, probabilities in zip(model.segmenter.features(images), found, strict=True):
        classes, expected = how.predict_map(
            model.head.adapted, [joined], (70, 53), model.stride, False, True
        )
        close = 1e-6 if features == "decoder" else 5e-5  # coarse stages are scored, then enlarged
        torch.testing.assert_close(probabilities, expected, rtol=10 * close, atol=close)
        assert torch.equal(probabilities.argmax(dim=0), classes.long())
        assert len(classes.unique()) > 1


def test_the_transition_has_a_say(make_adapted):
    image = torch.rand(1, 3, 64, 64)
    model = make_adapted("rank_one")
    before = model(image)
    model.head.own_layer_scale.zero_()
    assert not torch.allclose(model(image), before, atol=1e-3)


def test_the_upsampling_is_that_of_the_method(make_adapted):
    image = torch.rand(1, 3, 64, 64)
    own, other = make_adapted(align_corners=True), make_adapted()
    features = own.segmenter.features(image)[0]
    expected = Inference().predict_map(own.head.adapted, [features], (64, 64), 4, True, True)[1]
    torch.testing.assert_close(own(image)[0], expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(own(image), other(image))


def test_half_precision_is_the_networks_alone(make_adapted):
    model = make_adapted("rank_one")
    image = torch.rand(1, 3, 64, 64)
    seen: list[torch.dtype] = []
    handle = model.segmenter.decoder.register_forward_hook(
        lambda _module, _inputs, maps: seen.append(maps.dtype)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(image)
        features = model.segmenter.features(image).float()
    handle.remove()
    assert seen[0] == torch.bfloat16
    assert half.dtype == torch.float32
    expected = model.head(features).softmax(dim=1)  # outside of autocast: all float32
    expected = nn.functional.interpolate(expected, size=[64, 64], mode="bilinear")
    torch.testing.assert_close(half, expected, rtol=1e-5, atol=1e-6)


def test_nothing_of_it_is_trained(make_adapted):
    model = make_adapted()
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert (model.stride, model.num_classes) == (4, 5)


def test_a_head_of_another_number_of_classes_is_refused(make_adapted):
    model = make_adapted()
    with pytest.raises(ValueError, match="head has 5 classes, the taxonomy 3"):
        type(model)(model.segmenter, model.head.adapted, model.taxonomy.base_only())
