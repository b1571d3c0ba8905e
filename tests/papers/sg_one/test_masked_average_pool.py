"""Masked average pooling and the cosine map, against figures worked out by hand."""

import pytest
import torch
from torch.nn import functional

from terrashot.papers.sg_one.guidance.masked_average_pool import cosine_map, masked_average_pool

FEATURES = torch.tensor([[[[1.0, 2], [3, 4]], [[0, 1], [1, 0]]]], dtype=torch.float64)
MASK = torch.tensor([[[1, 0], [1, 1]]])
VECTOR = torch.tensor([2.666667, 0.333333], dtype=torch.float64)


def random_case(batch=3):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, 5, 6, 7, generator=generator, dtype=torch.float64)
    mask = torch.rand(batch, 23, 29, generator=generator) < 0.3
    return features, mask


def test_sg_one_t01_pooling_is_the_mean_under_the_mask():
    pooled = masked_average_pool(FEATURES, MASK)
    torch.testing.assert_close(pooled.vectors[0], VECTOR, atol=1e-6, rtol=0)
    assert pooled.mass.tolist() == [3]
    everywhere = masked_average_pool(FEATURES, torch.ones_like(MASK))
    torch.testing.assert_close(everywhere.vectors, FEATURES.mean(dim=(2, 3)))


def test_sg_one_t02_the_cosine_map_is_free_of_scale():
    query = torch.tensor([[[[1.0, 0], [2, -1]], [[0, 1], [2, 0]]]], dtype=torch.float64)
    expected = torch.tensor([[0.992278, 0.124035], [0.789352, -0.992278]]).double()
    vector = masked_average_pool(FEATURES, MASK).vectors
    found = cosine_map(query, vector)
    torch.testing.assert_close(found[0, 0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(cosine_map(query, 7 * vector), found)
    torch.testing.assert_close(cosine_map(7 * query, vector), found)
    each = cosine_map(query.expand(2, -1, -1, -1), torch.stack([vector, -vector]))
    torch.testing.assert_close(each, torch.cat([found, -found]))


@pytest.mark.parametrize(
    ("marked", "expected"),
    [([(0, 0)], 1.0), ([(1, 1)], 2.5), ([(0, 0), (0, 1), (1, 0), (1, 1)], 1.75)],
)
def test_sg_one_t03_features_are_upsampled_to_the_mask(marked, expected):
    features = torch.tensor([[[[1.0, 3], [5, 7]]]], dtype=torch.float64)
    mask = torch.zeros(1, 4, 4)
    for row, column in marked:
        mask[0, row, column] = 1
    found = masked_average_pool(features, mask).vectors
    assert float(found) == pytest.approx(expected)


def test_pooling_with_the_mask_brought_down_equals_upsampling_the_features():
    features, mask = random_case()
    features.requires_grad_()
    large = functional.interpolate(features, size=mask.shape[1:], mode="bilinear")
    weights = mask.double().unsqueeze(1)
    expected = (large * weights).sum(dim=(2, 3)) / weights.sum(dim=(2, 3))
    found = masked_average_pool(features, mask).vectors
    torch.testing.assert_close(found, expected)
    gradient = torch.autograd.grad(expected.square().sum(), features)[0]
    torch.testing.assert_close(torch.autograd.grad(found.square().sum(), features)[0], gradient)


def test_sg_one_t04_a_batch_equals_its_samples_and_an_empty_mask_is_no_nan():
    features, mask = random_case()
    mask[1] = False
    features.requires_grad_()
    pooled = masked_average_pool(features, mask)
    for row in (0, 2):
        alone = masked_average_pool(features[row : row + 1], mask[row : row + 1])
        torch.testing.assert_close(pooled.vectors[row], alone.vectors[0])
    assert pooled.valid.tolist() == [True, False, True]
    assert not pooled.vectors[1].any()
    cosine_map(features, pooled.vectors.unsqueeze(1)).square().sum().backward()
    assert bool(torch.isfinite(features.grad).all())


def test_half_precision_features_are_summed_in_single_precision():
    ones = torch.ones(1, 1, 256, 256, dtype=torch.bfloat16)
    mask = torch.ones(1, 256, 256)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = masked_average_pool(ones, mask)
    assert pooled.mass.tolist() == [65536]
    assert float(pooled.vectors) == 1
