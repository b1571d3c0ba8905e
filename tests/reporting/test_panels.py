import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from terrashot.reporting.panels import (
    IGNORED,
    WRONG,
    Panel,
    error_map,
    legend_entries,
    panel_picture,
    save_panel,
    tile_miou,
)
from terrashot.taxonomy import Taxonomy

TAXONOMY = Taxonomy.from_dict(
    {
        "background": {"name": "background", "color": "#000000"},
        "base": [{"name": "tree", "color": "#226126"}, {"name": "road", "color": "#998877"}],
        "novel": [{"name": "river", "color": "#2266dd"}],
    }
)


def _panel(height=40, width=60, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 3, (height, width)).astype(np.uint8)
    prediction = truth.copy()
    prediction[:5] = 3
    truth[:, :4] = 255
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Panel("city_7.tif", image, truth, prediction)


def _is(picture, rgb):
    return (picture == np.array(rgb)).all(axis=-1)


def test_the_error_map_is_red_exactly_where_a_labelled_pixel_is_wrong():
    panel = _panel()
    shown = error_map(panel)
    labelled = panel.truth != 255
    assert np.array_equal(_is(shown, WRONG), labelled & (panel.truth != panel.prediction))
    assert np.array_equal(_is(shown, IGNORED), ~labelled)
    right = shown[labelled & (panel.truth == panel.prediction)]
    assert right.min() > 190  # pale


def test_the_picture_holds_image_truth_prediction_and_error_side_by_side():
    panel = _panel(40, 120)
    picture = panel_picture(panel, TAXONOMY)
    colors = TAXONOMY.palette()
    parts = [panel.image, colors[panel.truth], colors[panel.prediction], error_map(panel)]
    lefts = []
    for part in parts:
        windows = np.lib.stride_tricks.sliding_window_view(picture, part.shape)[:, :, 0]
        places = np.argwhere((windows == part).all(axis=(2, 3, 4)))
        assert len(places) == 1
        lefts.append(places[0])
    assert len({top for top, _ in lefts}) == 1
    assert all(b[1] - a[1] >= 120 for a, b in itertools.pairwise(lefts))


def test_the_legend_names_the_classes_of_the_tile_and_shows_their_colours():
    panel = _panel()
    entries = legend_entries(panel, TAXONOMY)
    assert [name for name, _ in entries] == ["tree", "road", "river", "no label", "wrong"]
    height = panel.truth.shape[0]
    legend = panel_picture(panel, TAXONOMY)[30 + 22 + height :]
    for _, rgb in entries:
        assert _is(legend, rgb).sum() > 100


def test_a_large_tile_is_shrunk_and_maps_keep_their_ids():
    panel = _panel(300, 400)
    small = panel.shrunk(200)
    assert small.image.shape == (150, 200, 3)
    assert set(np.unique(small.truth)) <= set(np.unique(panel.truth))
    assert panel.shrunk(400) is panel
    assert panel_picture(panel, TAXONOMY, side=200).shape[1] < 4 * 200 + 60


def test_the_score_of_a_tile_leaves_out_what_is_not_labelled():
    panel = _panel()
    labelled = panel.truth != 255
    truth, guess = panel.truth[labelled], panel.prediction[labelled]
    ious = [
        ((truth == c) & (guess == c)).sum() / ((truth == c) | (guess == c)).sum() for c in (1, 2, 3)
    ]
    assert tile_miou(panel, TAXONOMY) == pytest.approx(np.mean(ious))
    nothing = Panel("x", panel.image, np.full_like(panel.truth, 255), panel.prediction)
    assert np.isnan(tile_miou(nothing, TAXONOMY))
    panel_picture(nothing, TAXONOMY)


def test_a_panel_comes_from_what_a_step_returns(tmp_path):
    image = torch.tensor([0.0, 0.5, 1.2]).view(3, 1, 1).expand(3, 4, 6)
    mask = torch.full((4, 6), 255)
    panel = Panel.from_tensors("a", image, mask, torch.ones(4, 6, dtype=torch.int64))
    assert panel.image.shape == (4, 6, 3)
    assert panel.image[0, 0].tolist() == [0, 128, 255]
    assert (panel.truth == 255).all()
    picture = panel_picture(panel, TAXONOMY)
    path = save_panel(picture, tmp_path / "p" / "a.png")
    assert np.array_equal(np.asarray(Image.open(path)), picture)
