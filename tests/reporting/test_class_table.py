import io

import pytest
import torch
from rich.console import Console

from terrashot.evaluation.scores import gfss_scores
from terrashot.reporting.class_table import class_table
from terrashot.reporting.run_summary import print_run_summary
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [
            {"name": "tree", "color": "#226126"},
            {"name": "agric [land] type 1", "color": "#998877"},
        ],
        "novel": [
            {"name": "vehicle & cargo-trailer", "color": "#2266dd"},
            {"name": "sports field", "color": "#ff6600"},
        ],
    }
)
COUNTS = torch.tensor(
    [[50, 2, 0, 0, 0], [4, 30, 1, 0, 0], [0, 3, 20, 2, 0], [0, 1, 0, 9, 0], [0, 0, 0, 0, 0]]
)


def _print(renderable, width=80, color=False):
    stream = io.StringIO()
    Console(
        file=stream, width=width, force_terminal=color, color_system="truecolor" if color else None
    ).print(renderable)
    return stream.getvalue()


def _row(text, label):
    (line,) = [line for line in text.splitlines() if label in line]
    return line.split(label)[1].split()


def test_each_class_and_each_mean_has_its_line():
    scores = gfss_scores(COUNTS, TAXONOMY)
    text = _print(class_table(scores, TAXONOMY, "test queries"))
    assert "test queries" in text
    assert _row(text, "■ tree") == ["base", f"{scores.iou[1]:.3f}"]
    assert _row(text, "agric [land] type 1") == ["base", f"{scores.iou[2]:.3f}"]
    assert _row(text, "vehicle & cargo-trailer") == ["novel", f"{scores.iou[3]:.3f}"]
    assert _row(text, "sports field") == ["novel", "absent"]
    for label, value in [
        ("base mIoU", scores.base_miou),
        ("novel mIoU", scores.novel_miou),
        ("weighted mIoU", scores.weighted_miou),
        ("mean mIoU", scores.mean_miou),
        ("harmonic mIoU", scores.harmonic_miou),
        ("pixel accuracy", scores.pixel_accuracy),
    ]:
        assert _row(text, label) == [f"{value:.3f}"]
    assert "nan" not in text


def test_a_reference_gets_a_column_and_the_change_in_points():
    base = COUNTS.clone()
    base[3] = torch.tensor([0, 10, 0, 0, 0])
    scores, before = gfss_scores(COUNTS, TAXONOMY), gfss_scores(base, TAXONOMY)
    text = _print(class_table(scores, TAXONOMY, references={"base model": before}))
    change = 100 * (scores.iou[3] - before.iou[3])
    assert change > 0
    assert _row(text, "vehicle & cargo-trailer")[1:] == [
        f"{scores.iou[3]:.3f}",
        f"{before.iou[3]:.3f}",
        f"{change:+.1f}",
    ]
    assert _row(text, "sports field") == ["novel", "absent", "absent"]


@pytest.mark.parametrize("references", [0, 1, 2])
def test_the_table_fits_80_columns_whole(references):
    scores = gfss_scores(COUNTS, TAXONOMY)
    others = {name: scores for name in ["base model", "imprinting"][:references]}
    text = _print(class_table(scores, TAXONOMY, references=others))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert len([line for line in text.splitlines() if "novel " in line]) == 3


def test_chips_have_the_colours_of_the_classes():
    text = _print(class_table(gfss_scores(COUNTS, TAXONOMY), TAXONOMY), color=True)
    assert "38;2;34;97;38m■" in text
    assert "38;2;255;102;0m■" in text


def test_stage_one_shows_no_novel_lines():
    taxonomy = TAXONOMY.base_only()
    text = _print(class_table(gfss_scores(COUNTS[:3, :3], taxonomy), taxonomy))
    assert "novel" not in text
    assert "base mIoU" in text


def test_the_last_line_says_the_result_the_folder_and_what_to_type(tmp_path, monkeypatch):
    folder = tmp_path / "logs" / "stage2" / "2030-01-01_10-00-00"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    command = "python run.py experiment=stage2 data=dubai method=diam adaptation.feature_stride=16"
    stream = io.StringIO()
    console = Console(file=stream, width=60)
    print_run_summary(console, "test/weighted_miou", 0.51234, folder, command)
    first, second = stream.getvalue().splitlines()
    assert first.split() == [
        "test/weighted_miou",
        "0.5123",
        "in",
        "logs/stage2/2030-01-01_10-00-00/",
    ]
    assert second == f"next: {command}"
