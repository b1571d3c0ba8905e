import math

import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.papers.sg_one.guidance.shot_fusion import (
    FUSIONS,
    any_shot,
    checked_fusion,
    shot_maps,
)

SHOTS = torch.tensor([[1.0, 0], [0, 3]])
PIXEL = torch.tensor([1.0, 1]).view(2, 1, 1)


@pytest.mark.parametrize(
    ("fusion", "expected"), [("avg", 0.894427), ("avg_unit", 1.0), ("mean_cos", 0.707107)]
)
def test_shots_are_averaged_where_the_name_says(fusion, expected):
    assert float(shot_maps(PIXEL, SHOTS, fusion)) == pytest.approx(expected, abs=1e-6)


def test_sg_one_t12_or_is_the_union_and_equal_shots_are_one_shot():
    masks = torch.tensor([[1.0, 0], [0, 0], [0, 1]])
    assert any_shot(masks).tolist() == [1, 1]
    assert shot_maps(PIXEL, SHOTS, "or").flatten().tolist() == pytest.approx([math.sqrt(0.5)] * 2)
    features = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    one = shot_maps(features, SHOTS[:1], "avg")
    for fusion in FUSIONS:
        several = shot_maps(features, SHOTS[:1].expand(5, -1), fusion)
        torch.testing.assert_close(several.amax(dim=0, keepdim=True), one)


def test_an_unknown_fusion_is_refused():
    with pytest.raises(ConfigError, match=r"shot_fusion is 'max'.*avg_unit"):
        checked_fusion("max")
