import csv
import math

import numpy as np
import pytest
import torch
from PIL import Image

from terrashot.errors import DataError
from terrashot.evaluation.scores import gfss_scores
from terrashot.reporting.confusion_figure import confusion_figure, row_shares
from terrashot.reporting.curves_figure import curves_figure, read_curves
from terrashot.reporting.figures import figure_to_array, save_figure
from terrashot.reporting.iou_figure import iou_figure
from terrashot.taxonomy import Taxonomy


def _taxonomy(base, novel):
    return Taxonomy.from_dict(
        {
            "background": {"name": "background", "color": "#000000"},
            "base": [{"name": f"base {i}", "color": "#226126"} for i in range(base)],
            "novel": [{"name": f"novel {i}", "color": "#2266dd"} for i in range(novel)],
        }
    )


def _counts(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 90, (size, size), generator=generator) + 300 * torch.eye(size).long()


def _texts(axis):
    return [t.get_text() for t in axis.texts]


def test_rows_are_shares_of_the_true_class_and_absent_classes_are_nan():
    shares = row_shares(torch.tensor([[3, 1], [0, 0]]))
    assert shares[0].tolist() == [0.75, 0.25]
    assert np.isnan(shares[1]).all()


@pytest.mark.parametrize(("base", "novel"), [(2, 1), (3, 2), (7, 4), (10, 4)])
def test_the_confusion_figure_names_each_class_and_parts_base_from_novel(base, novel):
    taxonomy = _taxonomy(base, novel)
    figure = confusion_figure(_counts(taxonomy.num_classes), taxonomy)
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == taxonomy.names
    assert [t.get_text() for t in axis.get_yticklabels()] == taxonomy.names
    lines = [np.unique(line.get_ydata()) for line in axis.lines]
    assert any(len(y) == 1 and y[0] == taxonomy.num_base - 0.5 for y in lines)
    # No name is cut off: all of them lie inside the drawn figure.
    figure_to_array(figure)
    for label in [*axis.get_xticklabels(), *axis.get_yticklabels()]:
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0


def test_the_confusion_figure_writes_the_percentages_and_changes_with_the_data():
    taxonomy = _taxonomy(2, 1)
    counts = torch.tensor([[10, 0, 0, 0], [0, 30, 10, 0], [0, 0, 8, 0], [0, 0, 0, 0]])
    figure = confusion_figure(counts, taxonomy)
    assert {"75", "25", "no labelled pixel"} <= set(_texts(figure.axes[0]))
    first = figure_to_array(figure)
    counts[1] = torch.tensor([0, 40, 0, 0])
    second = figure_to_array(confusion_figure(counts, taxonomy))
    assert first.dtype == np.uint8
    assert first.shape[2] == 3
    assert len(np.unique(first)) > 20
    assert not np.array_equal(first, second)


def test_the_iou_figure_has_a_bar_for_each_present_class_of_each_series():
    taxonomy = _taxonomy(2, 1)
    counts = _counts(4)
    counts[3], counts[:, 3] = 0, 0
    scores, reference = gfss_scores(counts, taxonomy), gfss_scores(_counts(4, 1), taxonomy)
    assert math.isnan(scores.iou[3])
    figure = iou_figure(scores, taxonomy, reference, ("classtrans", "base_only"))
    axis = figure.axes[0]
    widths = [bar.get_width() for bar in axis.patches]
    assert widths == pytest.approx(
        [v for pair in zip(scores.iou, reference.iou, strict=True) for v in pair if v == v]
    )
    assert _texts(axis).count("absent") == 1
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend == [
        f"base, mean {scores.base_miou:.3f}",
        "novel, mean absent",
        "base_only (colour: classtrans)",
    ]


def _write_metrics(path):
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, ["epoch", "step", "train/loss", "val/base_miou"])
        rows.writeheader()
        for epoch in range(3):
            step = 10 * epoch
            rows.writerow({"epoch": epoch, "step": step, "train/loss": 2.0 - epoch / 2})
            rows.writerow({"epoch": epoch, "step": step + 9, "val/base_miou": epoch / 4})
        rows.writerow({"epoch": 3, "step": 39, "val/base_miou": "nan"})


def test_learning_curves_are_those_of_the_csv(tmp_path):
    path = tmp_path / "metrics.csv"
    _write_metrics(path)
    with path.open("a") as file:
        file.write("4,4")  # a run killed while it wrote
    assert read_curves(path) == {
        "train/loss": [(0, 2.0), (10, 1.5), (20, 1.0)],
        "val/base_miou": [(9, 0.0), (19, 0.25), (29, 0.5)],
    }
    left, right = curves_figure(path).axes
    assert left.lines[0].get_ydata().tolist() == [2.0, 1.5, 1.0]
    assert right.lines[0].get_xdata().tolist() == [9, 19, 29]
    assert _texts(right) == ["0.500"]


def test_a_missing_or_foreign_metrics_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        read_curves(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"other\.csv.*'step'"):
        read_curves(tmp_path / "other.csv")


def test_saving_leaves_one_whole_file_and_replaces_the_old_one(tmp_path):
    taxonomy = _taxonomy(2, 1)
    path = tmp_path / "figures" / "confusion.png"
    for seed in (0, 1):
        save_figure(confusion_figure(_counts(4, seed), taxonomy), path)
    assert [p.name for p in path.parent.iterdir()] == ["confusion.png"]
    shown = np.asarray(Image.open(path).convert("RGB"))
    expected = figure_to_array(confusion_figure(_counts(4, 1), taxonomy))
    assert np.array_equal(shown, expected)
