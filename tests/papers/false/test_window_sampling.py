import pytest

from terrashot.errors import ConfigError
from terrashot.papers.false.windows.sampling import WindowSampler


def batches(sampler):
    windows = list(sampler)
    assert len(windows) == len(sampler)
    size = sampler.batch_size
    return [windows[i : i + size] for i in range(0, len(windows), size)]


def test_no_batch_over_all_ranks_holds_two_windows_of_a_tile():
    ranks = [batches(WindowSampler(13, 3, 3, seed=1, rank=r, world_size=2)) for r in (0, 1)]
    assert len(ranks[0]) == len(ranks[1]) == 6  # two whole batches of six in each round
    for first, second in zip(*ranks, strict=True):
        tiles = [tile for tile, _ in first + second]
        assert len(tiles) == 6
        assert len(set(tiles)) == 6


def test_two_ranks_share_out_the_batch_of_one():
    one = batches(WindowSampler(13, 2, 6, seed=1))
    two = [batches(WindowSampler(13, 2, 3, seed=1, rank=r, world_size=2)) for r in (0, 1)]
    for whole, first, second in zip(one, *two, strict=True):
        assert sorted(whole) == sorted(first + second)


def test_an_epoch_follows_from_its_number_and_differs_from_others():
    sampler = WindowSampler(10, 2, 5, seed=4)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] == epochs[2] != epochs[1]
    assert len({seed for _, seed in epochs[0] + epochs[1]}) == 40
    assert list(WindowSampler(10, 2, 5, seed=5)) != epochs[0]


def test_several_windows_of_a_tile_fill_a_batch_where_they_may():
    sampler = WindowSampler(4, 5, 8, one_per_batch=False)
    assert [len(batch) for batch in batches(sampler)] == [8, 8]  # 20 windows: 4 are left over


def test_too_few_tiles_are_refused_with_what_would_do():
    with pytest.raises(ConfigError, match=r"data\.batch_size to 5 or less, or allow several"):
        WindowSampler(10, 8, 8, world_size=2)
    with pytest.raises(ConfigError, match=r"raise pretraining\.windows_per_tile"):
        WindowSampler(3, 2, 8, one_per_batch=False)
