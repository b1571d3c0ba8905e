import numpy as np
import pytest
import torch

from terrashot.errors import ConfigError, DataError
from terrashot.papers.simtrans.patches.dataset import PatchDataset
from terrashot.papers.simtrans.patches.grid import tile_windows
from terrashot.papers.simtrans.patches.noise import NovelSource, SyntheticNoise, TileLabel, WeakRule
from terrashot.papers.simtrans.patches.select import (
    base_patches,
    need_windows,
    novel_patches,
    support_patches,
)
from terrashot.papers.simtrans.patches.units import held_out_classes
from terrashot.papers.simtrans.patches.vectors import VectorDataset, draw_per_class


def halves(left, right, side=32):
    label = np.full((side, side), left)
    label[:, side // 2 :] = right
    return label


def test_counts_of_windows_are_those_of_slices(labels):
    label = np.random.default_rng(0).integers(0, 6, (30, 41))
    (found,) = tile_windows(labels(label), 16, 5)
    assert len(found.corners) == 3 * 6
    for (top, left), counts in zip(found.corners, found.counts, strict=True):
        window = label[top : top + 16, left : left + 16]
        assert counts.tolist() == np.bincount(window.ravel(), minlength=6).tolist()


def test_a_tile_smaller_than_the_window_has_none(labels):
    (found,) = tile_windows(labels(np.ones((10, 40))), 16)
    assert len(found.corners) == 0
    with pytest.raises(ConfigError, match=r"data\.window"):
        next(tile_windows(labels(np.ones((40, 40))), 4))


def test_base_windows_have_a_dominant_class_and_are_labelled(labels):
    tiles = labels(halves(1, 2), halves(0, 2), halves(4, 3))
    found = [(p.tile, p.left, p.label) for p in base_patches(tiles, 16) if p.top == 0]
    # The middle window of the first tile is half and half, of the others half unlabelled.
    assert found == [(0, 0, 1), (0, 16, 2), (1, 16, 2), (2, 16, 3)]


def test_novel_windows_for_tests_are_covered_by_their_class(labels):
    found = novel_patches(labels(halves(4, 5), halves(4, 0)), 16)
    assert {(p.tile, p.left, p.label) for p in found} == {(0, 0, 4), (0, 16, 5), (1, 0, 4)}
    assert all(p.is_clean for p in found)


def test_support_windows_get_the_tiles_class_right_or_wrong(labels):
    tiles = labels(halves(4, 0), halves(0, 5))
    every = support_patches(tiles, [4, 5], 16, 0.0)
    assert len(every) == 18
    assert {p.label for p in every if p.tile == 0} == {4}
    assert [p.is_clean for p in every if p.tile == 0 and p.top == 0] == [True, False, False]
    some = support_patches(tiles, [4, 5], 16, 0.01)
    assert len(some) == 12


def source(labels):
    tiles = labels(np.full((64, 64), 4), np.full((64, 64), 5), np.full((64, 64), 1))
    base = [p for p in base_patches(tiles, 16) if p.tile == 2]
    return NovelSource(tiles, [4, 5], 16, base)


def test_weak_rule_and_tile_label_differ_in_what_they_leave_out(labels):
    tiles = labels(halves(4, 0), halves(0, 5))
    given = NovelSource(tiles, [4, 5], 16, [])
    assert len(WeakRule(0.01).draw(given, 0)) == 12
    assert len(TileLabel().draw(given, 0)) == 18


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6])
def test_synthetic_noise_spoils_the_asked_share_of_each_class(labels, rate):
    found = SyntheticNoise(rate, outliers=0.5).draw(source(labels), 0)
    for label in (4, 5):
        own = [p for p in found if p.label == label and (p.tile != 2 or p.truth == 1)]
        wrong = [p for p in own if not p.is_clean]
        assert len(wrong) / len(own) == pytest.approx(rate, abs=0.02)
    outliers = [p for p in found if p.truth == 1]
    flipped = [p for p in found if not p.is_clean and p.truth != 1]
    assert len(outliers) == pytest.approx(len(flipped), abs=2)


def test_noise_is_a_function_of_the_seed(labels):
    noise = SyntheticNoise(0.4)
    assert noise.draw(source(labels), 1) == noise.draw(source(labels), 1)
    assert noise.draw(source(labels), 1) != noise.draw(source(labels), 2)
    with pytest.raises(ConfigError, match=r"noise\.rate"):
        SyntheticNoise(1.5)


def test_a_class_without_windows_is_named_with_the_counts(labels, taxonomy):
    patches = base_patches(labels(halves(1, 2)), 16)
    need_windows(patches, [1, 2], taxonomy, 3, "train.txt")
    with pytest.raises(DataError, match=r"train.txt.*field.*road 3, tree 3, field 0.*data.window"):
        need_windows(patches, [1, 2, 3], taxonomy, 1, "train.txt")


def test_a_window_is_a_copy_of_pixels_unless_it_is_augmented(labels):
    tiles = labels(halves(1, 2, 64))
    dataset = PatchDataset(
        tiles, base_patches(tiles, 32), 32, lambda image, mask: (image / 2, mask)
    )
    unit = dataset[0]
    assert unit["input"].shape == (3, 32, 32)
    assert unit["label"] == 1
    assert float(unit["input"][0, 0, 0]) == pytest.approx(1 / 255)
    assert torch.equal(dataset.plain()[0, 5]["input"], unit["input"])
    assert float(dataset[0, 5]["input"][0, 0, 0]) == pytest.approx(0.5)


def test_held_out_classes_are_named_or_those_that_cost_the_least():
    names = ["a", "b", "c"]
    assert held_out_classes(["c", "a"], names, [0, 0, 0]) == [0, 2]
    assert held_out_classes(None, names, [50, 400, 3]) == [0]
    assert held_out_classes(None, list("abcdefg"), [50, 400, 3, 30, 99, 80, 70]) == [0, 3]
    assert held_out_classes(None, names, [1, 2, 3]) == []


def test_pixels_are_drawn_evenly_over_classes():
    labels = torch.tensor([0] * 50 + [3] * 2 + [7] * 9)
    chosen = draw_per_class(labels, 5, torch.Generator().manual_seed(0))
    assert torch.bincount(labels[chosen]).tolist() == [5, 0, 0, 2, 0, 0, 0, 5]
    dataset = VectorDataset(torch.rand(61, 4), labels, torch.zeros(61))
    assert dataset[3, 99]["label"] == 0
    assert len(dataset.part(labels == 3)) == 2
