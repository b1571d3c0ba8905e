"""What is drawn and tabled of few-shot episodes."""

import io
import math

import numpy as np
import torch
from rich.console import Console

from terrashot.papers.sg_one.evaluation.episode_scores import EpisodeScores
from terrashot.papers.sg_one.figures.episode_panel import EpisodePanel, episode_picture
from terrashot.papers.sg_one.figures.episode_table import episode_table
from terrashot.taxonomy import LandClass


def panel():
    mask = torch.zeros(32, 48, dtype=torch.int64)
    mask[:16] = 1
    mask[:, 40:] = 255
    return EpisodePanel.from_tensors(
        "road: a, b",
        {
            "support_image": torch.ones(3, 32, 48),
            "support_mask": mask,
            "query_image": torch.zeros(3, 32, 48),
            "query_mask": mask,
            "prediction": mask == 1,
            "similarity": torch.tensor([[-1.0, 1.0]]).repeat(8, 6),
        },
    )


def test_five_pictures_stand_in_a_row_with_the_class_tinted():
    picture = episode_picture(panel(), side=96)
    height, width, _ = picture.shape
    assert height > 64
    assert width > 5 * 96
    top = picture[30 + 22 + 8, 8 + 20]  # a pixel of the class in the support
    assert top[0] > top[2]  # orange, though the image is white
    colours = {tuple(c) for c in picture.reshape(-1, 3)[::7]}
    blue, red = (5, 48, 97), (103, 0, 31)  # the ends of the scale: cosines -1 and 1
    for end in (blue, red):
        assert min(np.abs(np.subtract(end, c)).sum() for c in colours) < 60


def test_the_table_has_a_column_for_each_method_and_says_absent():
    classes = (LandClass(3, "road", "#ffffff"), LandClass(4, "lake", "#0000ff"))
    ours = EpisodeScores({"road": 0.5, "lake": math.nan}, 0.5, 0.7)
    table = episode_table({"SG-One 1 shot": ours, "imprinting 1 shot": ours}, classes, "Novel")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    text = console.export_text()
    assert "Novel" in text
    assert text.count("0.500") == 4  # road and the mean, twice
    assert text.count("absent") == 2
    assert text.count("0.700") == 2
