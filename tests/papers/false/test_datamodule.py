"""Windows without labels, the labelled probe, and the loaders around them."""

import numpy as np
import pytest
import torch

from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.tiles import FILLER, TileDataset
from terrashot.errors import ConfigError, DataError
from terrashot.papers.false.windows.datamodule import WindowDataModule
from terrashot.papers.false.windows.probe_windows import NO_CLASS, ProbeWindows
from terrashot.papers.false.windows.two_views import TwoViews
from terrashot.papers.false.windows.unlabelled_windows import UnlabelledWindows

STILL = TwoViews(size=16, scale_min=1.0, hflip_p=0, vflip_p=0, rot90_p=0, color_p=0, grey_p=0,
                 blur_p=0)  # fmt: skip


@pytest.fixture
def module(dataset, taxonomy, write_raster):
    for number, side in enumerate([40, 48, 48]):  # the validation tiles: one class each
        label = np.full((side, side), number + 1, dtype=np.uint8)
        write_raster(dataset / "trainset" / "labels" / f"train_{number}.tif", label)

    def build(**options):
        given = {"views": TwoViews(size=16), "window": 24, "windows_per_tile": 2, "batch_size": 4}
        data = WindowDataModule(
            **(given | options), root=dataset, taxonomy=taxonomy, num_workers=0, seed=3
        )
        data.setup("fit")
        return data

    return build


def test_an_epoch_holds_two_views_of_each_window_and_repeats_itself(module):
    data = module()
    loader = data.train_dataloader()
    first = list(loader)
    assert len(first) == len(loader) == 4  # 9 tiles, twice: two batches of four each
    for batch in first:
        assert batch["views"].shape == (8, 3, 16, 16)
        assert len(set(batch["name"])) == 4
    loader.sampler.set_epoch(1)
    other = next(iter(loader))["views"]
    loader.sampler.set_epoch(0)
    again = list(loader)
    assert all(torch.equal(a["views"], b["views"]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(other, first[0]["views"])


def test_workers_change_nothing(module):
    alone = [batch["views"] for batch in module().train_dataloader()]
    data = module()
    data.num_workers = 1
    helped = [batch["views"] for batch in data.train_dataloader()]
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_training_images_need_no_label_and_validation_tiles_are_left_out(module, dataset):
    for label in (dataset / "trainset" / "labels").glob("train_*.tif"):
        if label.stem not in ("train_0", "train_1", "train_2"):
            label.unlink()
    data = module()
    names = {tile.name for tile in data.pool}
    assert names == {f"train_{i}" for i in range(3, 12)}
    assert all(tile.label is None for tile in data.pool)
    next(iter(data.train_dataloader()))
    with pytest.raises(DataError, match="labels"):
        _ = FewShotLayout(dataset, "test").train


def test_query_images_are_learned_from_only_where_asked_for(module):
    assert not any("query" in tile.name for tile in module().pool)
    pool = module(transductive=True).pool
    assert sum("query" in tile.name for tile in pool) == 5
    assert all(tile.label is None for tile in pool)


def test_without_a_probe_no_label_is_read(module, dataset):
    for label in (dataset / "trainset" / "labels").iterdir():
        label.unlink()
    (dataset / "stage1_val.txt").unlink()
    data = module(probe_windows=0)
    assert data.probe is None
    assert data.val_dataloader() == []
    assert len(data.pool) == 12


def test_windows_larger_than_a_tile_are_refused_by_name(module):
    with pytest.raises(DataError, match=r"train_.*48 x 48 pixels, but pretraining.window is 64"):
        module(window=64)


def test_a_whole_image_of_any_size_is_one_pair_an_epoch(module):
    data = module(window=None, windows_per_tile=1, probe_windows=0)
    (first, second) = data.train_dataloader()  # 9 tiles of 48 px or less
    assert len({*first["name"], *second["name"]}) == 8
    whole = module(window=None, windows_per_tile=1, probe_windows=0, views=STILL).windows
    views = whole[0, 5]["views"]
    expected = STILL.whole(torch.from_numpy(whole.tiles.load(0)[0]))
    torch.testing.assert_close(views, expected.expand(2, -1, -1, -1))


def test_too_large_a_batch_is_refused(module):
    with pytest.raises(ConfigError, match=r"Lower data\.batch_size to 9"):
        module(batch_size=10)


def test_no_training_tile_is_refused(module, dataset):
    (dataset / "train.txt").write_text("train_0.tif\ntrain_1.tif\ntrain_2.tif\n")
    with pytest.raises(DataError, match="leaves no training tile"):
        module()


def test_both_views_come_from_one_window_and_black_parts_are_avoided(
    tmp_path, taxonomy, write_raster
):
    image = np.zeros((3, 64, 64), dtype=np.uint8)
    rows = np.arange(1, 65, dtype=np.uint8)
    image[0, :, 32:] = rows[:, None]  # the left half has no data
    image[1, :, 32:] = np.arange(1, 33, dtype=np.uint8)
    path = write_raster(tmp_path / "half.tif", image)
    tiles = TileDataset([Tile("half", path, None)], taxonomy)
    windows = UnlabelledWindows(tiles, STILL, window=16, min_valid=0.9)
    places = set()
    for seed in range(40):
        views = windows[0, seed]["views"]
        assert torch.allclose(views[0], views[1])  # views without a draw of their own
        assert float((views[0] > 0).any(0).float().mean()) >= 0.6
        places.add(round(255 * float(views[0, 0].max())))
    assert len(places) > 10


def test_the_probe_holds_windows_with_a_dominant_base_class(tmp_path, taxonomy, write_raster):
    label = np.zeros((32, 48), dtype=np.uint8)
    label[:16, :16] = 1
    label[:16, 16:32] = 2
    label[:16, 24:32] = 3  # half and half: the lower id wins the tie
    label[:16, 32:] = 4  # novel: background to stage 1
    label[16:, :16] = 255
    label[16:, 16:32][:7] = 3  # less than half
    label[16:, 32:] = 3
    image = write_raster(tmp_path / "i.tif", np.full((3, 32, 48), 90, dtype=np.uint8))
    tile = Tile("i", image, write_raster(tmp_path / "l.tif", label))
    tiles = TileDataset([tile], taxonomy, base_only=True)
    probe = ProbeWindows(tiles, STILL, 16, 8)
    assert sorted(probe.places) == [(0, 0, 0, 1), (0, 0, 16, 2), (0, 16, 32, 3)]
    assert probe.rounds == [0, 1, 2]
    assert len(ProbeWindows(tiles, STILL, 16, 2)) == 2
    sample = probe[1]
    assert sample["image"].shape == (3, 16, 16)
    assert int(sample["label"]) == probe.places[1][3]
    assert torch.equal(sample["views"], probe[1, 77]["views"])  # the same ones each time
    assert int(probe[1, FILLER]["label"]) == NO_CLASS
    with pytest.raises(DataError, match=r"pretraining\.window lower"):
        ProbeWindows(TileDataset([tile], taxonomy, base_only=True), STILL, 32, 8)
