import pytest
import torch
from tests.fixtures.heads import classifier, plain_map
from torch.nn import functional

from terrashot.adaptation.head import AdaptedHead, LinearHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.none import NoTransition


def head(seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 4, generator=generator)
    parameters = {
        "base_weight": weight[:3],
        "base_bias": torch.randn(3, generator=generator),
        "novel_weight": weight[3:],
        "novel_bias": torch.randn(2, generator=generator),
    }
    return AdaptedHead(parameters, NoTransition(), weight[:3], FeatureScale(torch.tensor(2.0)))


@pytest.mark.parametrize("align_corners", [True, False])
def test_the_map_is_the_argmax_of_upsampled_probabilities(align_corners):
    features, size = torch.randn(4, 6, 7), (23, 27)  # stride 4: 24 x 28 are covered
    classes, probabilities = plain_map(head(), features, size, 4, align_corners, True)
    part = head().parameters
    weight = 2.0 * torch.cat([part["base_weight"], part["novel_weight"]])
    bias = torch.cat([part["base_bias"], part["novel_bias"]])
    coarse = functional.conv2d(features[None], weight[:, :, None, None], bias).softmax(dim=1)
    if align_corners:
        expected = functional.interpolate(coarse, size=size, mode="bilinear", align_corners=True)[0]
    else:
        expected = functional.interpolate(coarse, scale_factor=4, mode="bilinear")[0, :, :23, :27]
    assert torch.allclose(probabilities, expected, atol=1e-6)
    assert torch.equal(classes, expected.argmax(dim=0).to(torch.uint8))
    assert classes.dtype == torch.uint8
    assert plain_map(head(), features, size, 4)[1] is None


def test_the_classifier_takes_unscaled_features():
    features = torch.randn(4, 3, 3)
    assert torch.allclose(classifier(head()).logits(features), head().logits(features), atol=1e-5)


def test_a_linear_head_is_a_one_by_one_convolution():
    plain = LinearHead(torch.randn(5, 4), torch.randn(5))
    features = torch.randn(2, 4, 3, 6)
    expected = functional.conv2d(features, plain.weight[:, :, None, None], plain.bias)
    assert torch.allclose(plain.logits(features), expected, atol=1e-5)
    assert torch.allclose(plain.logits(features[0]), expected[0], atol=1e-5)
