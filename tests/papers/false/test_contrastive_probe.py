import pytest
import torch

from terrashot.papers.false.evaluation.contrastive_probe import PROBE_METRICS, score_probe
from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive


def probe(labels, first, second=None, rounds=None):
    count = len(labels)
    return {
        "features": first,
        "first": first,
        "second": first if second is None else second,
        "label": torch.tensor(labels),
        "tile": torch.arange(count),
        "round": torch.tensor(rounds or [0] * count),
        "index": torch.arange(count),
    }


def test_precision_is_the_share_of_selected_pairs_of_one_class():
    # Rows 0 and 1 lie together and so do 2 and 3: each takes its neighbour.
    angles = torch.tensor([0.0, 0.05, 1.5, 1.55])
    z = torch.stack([angles.cos(), angles.sin()], 1)
    scores = score_probe(probe([1, 1, 2, 3], z), CalibratedContrastive(), 3)
    (batch,) = scores.rounds
    assert batch.outcome.selected.sum() == 8  # one for each view
    assert scores.values["false_negative_precision"] == pytest.approx(0.5)
    # Of the negatives, each view of 0 and 1 has 2 of 6 of its class, the others none.
    assert scores.values["false_negative_chance"] == pytest.approx(8 / 48)
    assert scores.values["accepted"] == 1
    assert scores.values["knn_accuracy"] == 0.5
    assert set(scores.values) <= set(PROBE_METRICS)


def test_a_batch_holds_one_window_of_a_tile():
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    kept = probe([1, 2, 1, 2, 1, 2], z, rounds=[0, 1, 0, 1, 0, 2])
    scores = score_probe(kept, CalibratedContrastive(), 3)
    assert [batch.index.tolist() for batch in scores.rounds] == [[0, 2, 4], [1, 3]]
    loss = CalibratedContrastive()
    parts = [loss(z[[0, 2, 4, 0, 2, 4]]).rows, loss(z[[1, 3, 1, 3]]).rows]
    assert scores.values["loss"] == pytest.approx(float(torch.cat(parts).mean()))


def test_nothing_selected_means_no_precision():
    z = torch.eye(4)
    scores = score_probe(probe([1, 1, 2, 2], z, z.roll(1, 0)), CalibratedContrastive(), 2)
    assert "false_negative_precision" not in scores.values
    assert scores.values["accepted"] == 0


def test_one_window_gives_numbers_and_no_error():
    scores = score_probe(probe([1], torch.eye(1)), CalibratedContrastive(), 2)
    assert scores.rounds == []
    assert set(scores.values) == {"knn_accuracy", "knn_class_accuracy", "alignment"}
