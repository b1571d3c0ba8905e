"""Tiles as samples: values, labels as stage 1 sees them, seeds, memory."""

import multiprocessing
import pickle

import numpy as np
import pytest
import torch

from terrashot.data import tiles as tiles_module
from terrashot.data.layout import FewShotLayout
from terrashot.data.memory import TileMemory, free_memory
from terrashot.data.reading import read_image, read_label, read_tile
from terrashot.data.tiles import FILLER, TileDataset, collate
from terrashot.data.transforms import TrainTransform
from terrashot.errors import ConfigError, DataError
from terrashot.image_spec import ImageSpec

NOISY = TrainTransform(
    32,
    scale=0.25,
    rotation=45,
    affine_p=0.7,
    hflip_p=0.5,
    rot90_p=0.5,
    noise_p=0.7,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
)


def test_a_sample_holds_the_pixels_in_0_to_1_and_the_labels(dataset, taxonomy):
    query = FewShotLayout(dataset, "test").query
    sample = TileDataset(query, taxonomy)[2]
    assert sample["name"] == "query_2"
    assert sample["image"].dtype == torch.float32
    assert type(sample["image"]) is type(sample["mask"]) is torch.Tensor
    assert torch.equal(sample["image"], torch.from_numpy(read_image(query[2].image)) / 255)
    assert torch.equal(sample["mask"], torch.from_numpy(read_label(query[2].label)).long())


def test_base_only_turns_novel_classes_into_background(dataset, taxonomy):
    query = FewShotLayout(dataset, "test").query
    full = TileDataset(query, taxonomy)[0]["mask"]
    base = TileDataset(query, taxonomy, base_only=True)[0]["mask"]
    assert {4, 5} <= set(full.unique().tolist())
    assert torch.equal(base, torch.where((full == 4) | (full == 5), 0, full))


def test_a_withheld_label_gives_a_mask_that_is_all_ignore(dataset, taxonomy):
    (dataset / "testset/labels/query_1.tif").unlink()
    sample = TileDataset(FewShotLayout(dataset, "test").query, taxonomy)[1]
    assert sample["mask"].shape == sample["image"].shape[1:]
    assert (sample["mask"] == 255).all()


def test_an_unknown_label_id_names_the_file(dataset, taxonomy, write_raster):
    write_raster(dataset / "trainset/labels/train_3.tif", np.full((48, 48), 17, np.uint8))
    with pytest.raises(DataError, match=r"train_3\.tif has the label id\(s\) 17 \(2304 pixels\)"):
        TileDataset(FewShotLayout(dataset, "test").train, taxonomy)[0]


def test_unlike_sizes_of_image_and_label_name_both_files(dataset, taxonomy, write_raster):
    write_raster(dataset / "trainset/labels/train_3.tif", np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match=r"images/train_3\.tif is 48 x 48.*train_3\.tif is 30 x 20"):
        TileDataset(FewShotLayout(dataset, "test").train, taxonomy)[0]


def test_a_seeded_sample_depends_on_index_and_seed_alone(dataset, taxonomy):
    tiles = TileDataset(FewShotLayout(dataset, "test").train, taxonomy, NOISY)
    torch.manual_seed(1)
    first = tiles[4, 99]
    torch.manual_seed(2)
    state = torch.get_rng_state()
    _ = tiles[3, 7]
    again = tiles[4, 99]
    assert torch.equal(state, torch.get_rng_state()), "a sample left its mark on the generator"
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["mask"], again["mask"])
    assert not torch.equal(first["image"], tiles[4, 100]["image"])


def test_samples_do_not_depend_on_the_number_of_threads(shared, taxonomy):
    layout = FewShotLayout(shared / "data/dubai", "test")
    transform = TrainTransform(**(vars(NOISY) | {"crop": 256, "noise_p": 1.0, "affine_p": 1.0}))
    tiles = TileDataset(layout.train[:4], taxonomy, transform, cache=True)
    threads = torch.get_num_threads()
    samples = []
    for number in (1, 2):
        torch.set_num_threads(number)
        samples.append([tiles[i, i]["image"] for i in range(4)])
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*samples, strict=True))


def test_a_filler_never_counts(dataset, taxonomy):
    sample = TileDataset(FewShotLayout(dataset, "test").train, taxonomy)[0, FILLER]
    assert (sample["mask"] == 255).all()


def test_collate_fills_smaller_tiles_with_ignore(dataset, taxonomy):
    tiles = TileDataset(FewShotLayout(dataset, "test").query, taxonomy)
    batch = collate([tiles[0], tiles[4]])
    assert batch["image"].shape == (2, 3, 48, 48)
    assert batch["name"] == ["query_0", "query_4"]
    assert torch.equal(batch["mask"][0, :40, :40], tiles[0]["mask"])
    assert (batch["mask"][0, 40:] == 255).all()
    assert (batch["mask"][0, :, 40:] == 255).all()
    assert (batch["image"][0, :, 40:] == 0).all()
    assert torch.equal(batch["image"][1], tiles[4]["image"])


def count_reads(monkeypatch):
    reads = []

    def read(path, spec):
        reads.append(path)
        return read_tile(path, spec)

    monkeypatch.setattr(tiles_module, "read_tile", read)
    return reads


@pytest.mark.parametrize(("cache", "expected"), [(False, 6), (True, 3), ("auto", 3)])
def test_a_cached_tile_is_decoded_once(dataset, taxonomy, monkeypatch, cache, expected):
    reads = count_reads(monkeypatch)
    tiles = TileDataset(FewShotLayout(dataset, "test").train, taxonomy, cache=cache)
    first = [tiles[i]["image"] for i in range(3)]
    second = [tiles[i]["image"] for i in range(3)]
    assert len(reads) == expected
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_auto_keeps_nothing_where_memory_is_short(dataset, taxonomy, monkeypatch):
    """Nine tiles of 48 x 48 x 4 bytes are 82,944 bytes."""
    reads = count_reads(monkeypatch)
    for free, processes, expected in ((4 * 83_000, 1, 1), (4 * 82_000, 1, 2), (4 * 83_000, 2, 2)):
        monkeypatch.setattr(tiles_module, "free_memory", lambda free=free: free)
        train = FewShotLayout(dataset, "test").train
        tiles = TileDataset(train, taxonomy, cache="auto", processes=processes)
        reads.clear()
        _ = tiles[0], tiles[0]
        assert len(reads) == expected


def test_a_tile_decoded_by_a_worker_is_there_for_all():
    memory = TileMemory([(4, 5), (6, 7)], ImageSpec())
    image, label = np.full((3, 6, 7), 9, np.uint8), np.full((6, 7), 2, np.uint8)
    worker = multiprocessing.get_context("fork").Process(target=memory.put, args=(1, image, label))
    worker.start()
    worker.join()
    assert memory.get(0) is None
    held = memory.get(1)
    assert held is not None
    assert np.array_equal(held[0], image)
    assert np.array_equal(held[1], label)


def test_a_spawned_worker_reads_from_disk(dataset, taxonomy):
    tiles = TileDataset(FewShotLayout(dataset, "test").train, taxonomy, cache=True)
    expected = tiles[1]["image"]
    copy = pickle.loads(pickle.dumps(tiles))
    assert torch.equal(copy[1]["image"], expected)
    assert torch.equal(copy[1]["image"], expected)


def test_a_transform_does_not_change_the_cached_tile(dataset, taxonomy):
    tiles = TileDataset(FewShotLayout(dataset, "test").train, taxonomy, NOISY, cache=True)
    before = [array.copy() for array in tiles.load(0)]
    for seed in range(20):
        _ = tiles[0, seed]
    assert all(np.array_equal(a, b) for a, b in zip(before, tiles.load(0), strict=True))


def test_an_unknown_way_to_cache_is_a_config_error(dataset, taxonomy):
    with pytest.raises(ConfigError, match=r"data\.cache is 'yes'"):
        TileDataset(FewShotLayout(dataset, "test").query, taxonomy, cache="yes")


def test_free_memory_is_a_sensible_number():
    assert 2**20 < free_memory() < 2**50
