import numpy as np
import torch
from rich.console import Console

from terrashot.image_spec import ImageSpec
from terrashot.papers.false.figures.pair_picture import Pair, pair_picture
from terrashot.papers.false.figures.probe_table import probe_table


def test_pairs_stand_in_rows_with_a_frame_that_says_right_or_wrong():
    red, blue = torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)
    red[0], blue[2] = 1, 1
    pairs = [
        Pair.from_tensors((red, blue), ImageSpec(), "a" * 200, "cosine 0.9", right)
        for right in (True, False)
    ]
    picture = pair_picture([*pairs, *pairs, pairs[0]], "title", columns=2, side=40)
    assert picture.dtype == np.uint8
    colors = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
    assert {(255, 0, 0), (0, 0, 255), (77, 154, 106), (214, 39, 40)} <= colors
    assert picture.shape[0] == 30 + 3 * (40 + 34 + 10)
    assert picture.shape[1] < pair_picture(pairs * 3, "title", columns=4, side=40).shape[1]


def test_the_table_fits_80_columns_and_shows_what_is_missing():
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(probe_table({"knn_accuracy": 0.25}, {"knn_accuracy": 0.5, "loss": 4.0}))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if "window classes" in line]
    assert row.split()[-2:] == ["0.250", "0.500"]
    (row,) = [line for line in lines if line.strip().startswith("loss")]
    assert row.split()[-2:] == ["-", "4.000"]
