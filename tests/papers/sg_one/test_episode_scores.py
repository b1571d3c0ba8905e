import math

import pytest
import torch

from terrashot.papers.sg_one.evaluation.episode_scores import binary_counts, episode_scores
from terrashot.taxonomy import LandClass

CLASSES = tuple(LandClass(i, name, "#000000") for i, name in [(3, "a"), (4, "b"), (5, "c")])


def test_counts_leave_out_ignored_pixels():
    target = torch.tensor([[1, 1, 0, 0, 255]])
    prediction = torch.tensor([[True, False, True, False, True]])
    assert binary_counts(prediction, target).tolist() == [[1, 1], [1, 1]]


def test_classes_count_alike_and_backgrounds_are_joined():
    counts = torch.tensor([[[60, 10], [10, 20]], [[90, 0], [0, 10]], [[0, 0], [0, 0]]])
    scores = episode_scores(counts, CLASSES)
    assert scores.iou["a"] == pytest.approx(20 / 40)
    assert scores.iou["b"] == 1
    assert math.isnan(scores.iou["c"])  # no episode: in no mean
    assert scores.miou == pytest.approx(0.75)
    assert scores.fb_iou == pytest.approx((150 / 170 + 30 / 50) / 2)
    metrics = scores.as_metrics("test/one_shot")
    assert metrics["test/one_shot_miou"] == scores.miou
    assert metrics["test/one_shot_iou/b"] == 1
