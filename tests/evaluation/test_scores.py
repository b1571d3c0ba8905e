import math

import pytest
import torch

from terrashot.errors import DataError
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import gfss_scores
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "name": "toy",
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#00ff00"}, {"name": "road", "color": "#888888"}],
        "novel": [{"name": "pond", "color": "#0000ff"}, {"name": "car", "color": "#ff0000"}],
    }
)


def random_maps(seed=0, size=(3, 20, 20), classes=5):
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randint(0, classes, size, generator=generator)
    target = torch.randint(0, classes, size, generator=generator)
    target[torch.rand(size, generator=generator) < 0.2] = 255
    return prediction, target


def counted(*pairs, classes=5):
    metric = ConfusionMatrix(classes)
    for prediction, target in pairs:
        metric.update(prediction, target)
    return metric.compute()


def naive_iou(prediction, target, index):
    keep = target != 255
    predicted, true = (prediction == index) & keep, (target == index) & keep
    union = int((predicted | true).sum())
    return int((predicted & true).sum()) / union if union else math.nan


def test_scores_equal_a_naive_count_of_sets():
    prediction, target = random_maps()
    scores = gfss_scores(counted((prediction, target)), TAXONOMY)
    naive = [naive_iou(prediction, target, k) for k in range(5)]
    assert scores.iou == pytest.approx(naive)
    base, novel = sum(naive[1:3]) / 2, sum(naive[3:]) / 2
    assert scores.base_miou == pytest.approx(base)
    assert scores.novel_miou == pytest.approx(novel)
    assert scores.weighted_miou == pytest.approx(0.4 * base + 0.6 * novel)
    assert scores.mean_miou == pytest.approx(sum(naive[1:]) / 4)
    assert scores.harmonic_miou == pytest.approx(2 * base * novel / (base + novel))
    keep = target != 255
    accuracy = (prediction == target)[keep].double().mean().item()
    assert scores.pixel_accuracy == pytest.approx(accuracy)


def test_an_absent_class_is_skipped_and_a_predicted_one_is_not():
    target = torch.tensor([0, 1, 1, 3])
    scores = gfss_scores(counted((torch.tensor([0, 1, 1, 3]), target)), TAXONOMY)
    assert math.isnan(scores.iou[2])
    assert math.isnan(scores.iou[4])
    assert (scores.base_miou, scores.novel_miou) == (1.0, 1.0)
    # One pixel predicted as class 2, which is nowhere true: its IoU is 0, not absent.
    scores = gfss_scores(counted((torch.tensor([2, 1, 1, 3]), target)), TAXONOMY)
    assert scores.iou[2] == 0.0
    assert scores.base_miou == 0.5


def test_nothing_labelled_gives_nan_everywhere():
    scores = gfss_scores(torch.zeros(5, 5, dtype=torch.int64), TAXONOMY)
    assert all(math.isnan(v) for v in [*scores.iou, scores.base_miou, scores.pixel_accuracy])
    assert math.isnan(scores.weighted_miou)


def test_novel_never_predicted_has_harmonic_mean_zero():
    target = torch.tensor([0, 1, 2, 3, 4])
    scores = gfss_scores(counted((torch.tensor([0, 1, 2, 0, 0]), target)), TAXONOMY)
    assert scores.novel_miou == 0.0
    assert scores.harmonic_miou == 0.0
    assert scores.weighted_miou == pytest.approx(0.4)


def test_a_transposed_confusion_matrix_is_noticed_in_the_accuracy_of_rows():
    matrix = counted((torch.tensor([1, 1, 2]), torch.tensor([2, 2, 2])))
    assert matrix[2, 1] == 2  # row truth, column prediction
    assert matrix.dtype == torch.int64


def test_halves_of_two_processes_sum_to_the_whole():
    prediction, target = random_maps(size=(8, 12, 12))
    whole = counted((prediction, target))
    halves = [counted((prediction[i::2], target[i::2])) for i in range(2)]
    assert torch.equal(whole, torch.stack(halves).sum(dim=0))
    assert ConfusionMatrix(5)._reductions["confmat"] is not None
    assert whole.sum() == (target != 255).sum()


def test_metrics_are_named_by_stage_and_class():
    scores = gfss_scores(counted(random_maps()), TAXONOMY)
    metrics = scores.as_metrics("test", TAXONOMY)
    assert metrics["test/iou/pond"] == scores.iou[3]
    assert metrics["test/weighted_miou"] == scores.weighted_miou
    stage1 = TAXONOMY.base_only()
    metrics = gfss_scores(counted(random_maps(classes=3), classes=3), stage1).as_metrics(
        "val", stage1
    )
    assert "val/base_miou" in metrics
    assert "val/novel_miou" not in metrics


def test_the_weights_of_the_two_means_can_be_chosen():
    matrix = counted(random_maps())
    scores = gfss_scores(matrix, TAXONOMY, base_weight=1.0, novel_weight=0.0)
    assert scores.weighted_miou == scores.base_miou


@pytest.mark.parametrize(("prediction", "target"), [([5], [1]), ([1], [7]), ([-1], [1])])
def test_an_id_outside_the_taxonomy_is_an_error(prediction, target):
    with pytest.raises(DataError, match="ids 0 to 4"):
        ConfusionMatrix(5).update(torch.tensor(prediction), torch.tensor(target))


def test_unlike_shapes_and_a_foreign_taxonomy_are_errors():
    with pytest.raises(DataError, match="size of the label"):
        ConfusionMatrix(5).update(torch.zeros(4).long(), torch.zeros(5).long())
    with pytest.raises(DataError, match="has 5 classes"):
        gfss_scores(torch.zeros(4, 4), TAXONOMY)


def test_uint8_maps_with_many_classes_do_not_overflow():
    ids = torch.arange(200, dtype=torch.uint8)
    metric = ConfusionMatrix(200)
    metric.update(ids, ids)
    assert torch.equal(metric.compute(), torch.eye(200, dtype=torch.int64))
