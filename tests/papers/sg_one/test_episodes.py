"""Episodes: which windows can be drawn, the same ones always, and what their masks hold."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from terrashot.data.transforms import TrainTransform
from terrashot.errors import ConfigError, DataError
from terrashot.papers.sg_one.episodes.datamodule import EpisodeDataModule
from terrashot.papers.sg_one.episodes.evaluation import NovelEpisode, evaluation_episodes
from terrashot.papers.sg_one.episodes.index import EpisodeIndex
from terrashot.papers.sg_one.episodes.rules import EpisodeRules


def module(root, taxonomy, **options):
    rules = {"crop": 32, "min_pixels": 100, "max_foreground": 0.9, **options.pop("rules", {})}
    defaults = {"train_episodes": 12, "val_episodes": 5, "batch_size": 4, "num_workers": 0}
    return EpisodeDataModule(
        root=root, taxonomy=taxonomy, rules=EpisodeRules(**rules), **(defaults | options)
    )


def on_rank(data, rank, world_size):
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, num_devices=world_size)
    return data


def names(loader):
    return [name for batch in loader for name in batch["name"]]


@pytest.mark.parametrize("zero_as_background", [False, True])
def test_windows_of_the_rules_equal_counting_each_window(zero_as_background):
    rng = np.random.default_rng(0)
    label = rng.choice(np.array([0, 1, 2, 255], dtype=np.uint8), (40, 57), p=[0.3, 0.4, 0.2, 0.1])
    label[:20, :20] = 1
    rules = EpisodeRules(16, 90, 0.6, zero_as_background)
    found = rules.windows(label, 1)
    tops, lefts = rules.offsets(40), rules.offsets(57)
    assert (tops[-1], lefts[-1]) == (24, 41)  # the far edges can be drawn too
    assert found.shape == (len(tops), len(lefts))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            window = label[top : top + 16, left : left + 16]
            own = (window == 1).sum()
            rest = np.isin(window, [0, 2] if zero_as_background else [2]).sum()
            assert found[row, column] == (own >= 90 and own <= 0.6 * (own + rest))


def test_label_0_is_ignored_unless_it_is_asked_for():
    label = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    assert EpisodeRules(4, 1).binary(label, 1).tolist() == [[255, 1, 0, 255]]
    told = EpisodeRules(4, 1, zero_as_background=True)
    assert told.binary(label, 1).tolist() == [[0, 1, 0, 255]]


def test_an_episode_shows_one_class_in_two_tiles(dataset, taxonomy):
    data = module(dataset, taxonomy)
    (first, *_) = data.train_dataloader()
    assert first["support_image"].shape == first["query_image"].shape == (4, 3, 32, 32)
    for row, name in enumerate(first["name"]):
        support, query = name.partition(": ")[2].split(", ")
        assert support != query
        assert taxonomy.names[first["class_id"][row]] == name.partition(":")[0]
        for key in ("support_mask", "query_mask"):
            mask = first[key][row]
            assert set(mask.unique().tolist()) <= {0, 1, 255}
            own, other = int((mask == 1).sum()), int((mask == 0).sum())
            assert own >= 100
            assert own <= 0.9 * (own + other)


def test_episodes_follow_from_seed_and_epoch_alone(dataset, taxonomy):
    def batches(epoch, **options):
        augment = TrainTransform(32, rotation=45, affine_p=1.0, noise_p=0.5, brightness=0.2)
        loader = module(dataset, taxonomy, train_transform=augment, **options).train_dataloader()
        loader.sampler.set_epoch(epoch)
        return list(loader)

    first, again = batches(1, seed=3), batches(1, seed=3, num_workers=1)
    for one, two in zip(first, again, strict=True):
        assert one["name"] == two["name"]
        assert torch.equal(one["query_image"], two["query_image"])
        assert torch.equal(one["support_mask"], two["support_mask"])
    assert [b["name"] for b in batches(2, seed=3)] != [b["name"] for b in first]
    assert [b["name"] for b in batches(1, seed=4)] != [b["name"] for b in first]


def test_processes_share_one_list(dataset, taxonomy):
    alone = names(module(dataset, taxonomy).train_dataloader())
    shared = [names(on_rank(module(dataset, taxonomy), r, 2).train_dataloader()) for r in (0, 1)]
    assert [n for pair in zip(*shared, strict=True) for n in pair] == alone


def test_validation_is_a_fixed_list_and_counts_each_episode_once(dataset, taxonomy):
    loader = module(dataset, taxonomy, seed=1).val_dataloader()
    fixed = names(loader)
    loader.sampler.set_epoch(7)
    assert names(loader) == fixed == names(module(dataset, taxonomy, seed=2).val_dataloader())
    counted = 0
    for rank in (0, 1):
        for batch in on_rank(module(dataset, taxonomy), rank, 2).val_dataloader():
            counted += int((batch["query_mask"] != 255).flatten(1).any(dim=1).sum())
    assert counted == 5  # the sixth is a filler


def test_augmentation_that_loses_the_class_is_left_out(dataset, taxonomy):
    def blind(image, mask):
        return image.float() / 255, torch.zeros_like(mask)

    (batch, *_) = module(dataset, taxonomy, train_transform=blind).train_dataloader()
    assert bool((batch["support_mask"] == 1).flatten(1).any(dim=1).all())


def test_a_class_with_one_tile_takes_no_part_and_without_any_class_the_error_says_why(
    dataset, taxonomy, write_raster
):
    for number in range(12):
        label = np.full((48, 48), 1, dtype=np.uint8)
        label[:, 24:] = 2
        if number == 5:
            label[:24] = 3
        if number == 0:
            label = label[:40, :40]
        write_raster(dataset / "trainset" / "labels" / f"train_{number}.tif", label)
    with pytest.warns(UserWarning, match=r"train.txt: class 'road' takes no part.*1 of its tiles"):
        index = module(dataset, taxonomy)._train_set.index
    assert index.classes == [1, 2]
    strict = module(dataset, taxonomy, rules={"max_foreground": 0.1})
    with pytest.raises(DataError, match=r"train.txt: an episode takes two tiles.*road 0"):
        strict.setup("fit")


def test_where_label_0_is_all_the_background_the_setting_that_helps_is_named(
    dataset, taxonomy, write_raster
):
    for number in range(12):
        label = np.zeros((48, 48), dtype=np.uint8)
        label[:, 24:] = 1 + number % 3
        write_raster(dataset / "trainset" / "labels" / f"train_{number}.tif", label)
    with pytest.raises(DataError) as error:
        module(dataset, taxonomy).setup("fit")
    assert "set episodes.zero_as_background=true" in str(error.value)
    assert "max_foreground" not in str(error.value)
    told = module(dataset, taxonomy, rules={"zero_as_background": True})
    assert told._train_set.index.classes == [1, 2, 3]


def test_only_tiles_of_one_class_alone_are_drawn_where_that_is_asked_for(
    dataset, taxonomy, write_raster
):
    for number in range(12):
        label = np.zeros((48, 48), dtype=np.uint8)
        label[:, 24:] = 1
        label[:, :4] = 255
        if number % 2:
            label[0, 8] = 2
        write_raster(dataset / "trainset" / "labels" / f"train_{number}.tif", label)
    rules = {"zero_as_background": True, "alone": True}
    data = module(dataset, taxonomy, rules=rules)
    with pytest.warns(UserWarning, match=r"no other class beside it"):
        index = data._train_set.index
    drawn = {data.train_tiles[i].name for i in index.tiles_of(1)}
    assert drawn == {f"train_{i}" for i in (4, 6, 8, 10)}  # 0 to 2 are validation tiles


def test_a_tile_smaller_than_the_window_is_filled_up(dataset, taxonomy):
    data = module(dataset, taxonomy, rules={"crop": 64}, batch_size=1)
    masks = [batch["query_mask"] for batch in data.train_dataloader()]
    assert all(m.shape == (1, 64, 64) for m in masks)
    assert all(bool((m[0, 0] == 255).all()) for m in masks)  # tiles have 48 pixels


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"episodes.min_pixels is 5000.*data.crop=64"):
        EpisodeRules(64, 5000)
    with pytest.raises(ConfigError, match=r"episodes\.max_foreground"):
        EpisodeRules(64, 10, 1.5)


def test_novel_episodes_are_a_fixed_list_over_tiles_that_show_the_class(taxonomy):
    pixels = {f"q{i}": np.array([500, 0, 0, 0, 40 * i, 300]) for i in range(5)}
    shots = {4: 3, 5: 2}
    drawn = evaluation_episodes(pixels, shots, taxonomy, 200, 0, 100)
    assert drawn == evaluation_episodes(pixels, shots, taxonomy, 200, 0, 100)
    assert drawn != evaluation_episodes(pixels, shots, taxonomy, 200, 1, 100)
    assert sum(sum(counter.values()) for counter in drawn.values()) == 200
    of_first = {name for name, counter in drawn.items() if any(e.class_id == 4 for e in counter)}
    assert of_first == {"q3", "q4"}
    assert {e.shot for c in drawn.values() for e in c if e.class_id == 5} == {0, 1}
    assert all(isinstance(e, NovelEpisode) for c in drawn.values() for e in c)


def test_missing_novel_classes_warn_or_end_the_run(taxonomy):
    pixels = {"q": np.array([500, 0, 0, 0, 0, 300])}
    with pytest.warns(UserWarning, match="novel class 'parking'"):
        drawn = evaluation_episodes(pixels, {4: 1, 5: 1}, taxonomy, 10, 0, 100)
    assert {e.class_id for e in drawn["q"]} == {5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=r"None of the 1 labelled query tiles.*data.split=val"):
            evaluation_episodes(pixels, {4: 1, 5: 1}, taxonomy, 10, 0, 10_000)


def test_query_pixels_leave_out_withheld_labels(dataset, taxonomy):
    (dataset / "testset" / "labels" / "query_2.tif").unlink()
    pixels = module(dataset, taxonomy).query_pixels()
    assert sorted(pixels) == [f"query_{i}" for i in (0, 1, 3, 4)]
    assert all(counts.shape == (6,) for counts in pixels.values())


def test_the_index_reads_each_label_once(dataset, taxonomy, monkeypatch):
    data = module(dataset, taxonomy)
    tiles = data._stage1_tiles("train", None)
    read = []
    label = tiles.label
    monkeypatch.setattr(tiles, "label", lambda index: read.append(index) or label(index))
    EpisodeIndex(tiles, data.rules, taxonomy, "train.txt")
    assert read == list(range(len(tiles)))
