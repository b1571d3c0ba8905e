"""Which tile comes when: orders, seeds and the division among ranks."""

import pytest

from terrashot.data.sampling import EpochSampler, sample_seed
from terrashot.data.tiles import FILLER


def draw(epoch=0, **kwargs):
    sampler = EpochSampler(**kwargs)
    sampler.set_epoch(epoch)
    pairs = list(sampler)
    assert len(pairs) == len(sampler)
    return pairs


def test_an_epoch_depends_on_seed_and_epoch_alone():
    first = draw(3, size=20, seed=5, shuffle=True)
    assert first == draw(3, size=20, seed=5, shuffle=True)
    assert first != draw(4, size=20, seed=5, shuffle=True)
    assert first != draw(3, size=20, seed=6, shuffle=True)
    assert sorted(i for i, _ in first) == list(range(20))


def test_every_tile_and_epoch_has_a_seed_of_its_own():
    seeds = {sample_seed(s, e, i) for s in range(3) for e in range(20) for i in range(50)}
    assert len(seeds) == 3 * 20 * 50


@pytest.mark.parametrize(("size", "ranks"), [(10, 2), (11, 2), (11, 4), (2, 4), (1, 3)])
def test_training_gives_ranks_equal_counts_and_all_tiles(size, ranks):
    parts = [
        draw(1, size=size, seed=0, shuffle=True, rank=r, world_size=ranks) for r in range(ranks)
    ]
    assert len({len(p) for p in parts}) == 1
    assert {i for p in parts for i, _ in p} == set(range(size))


@pytest.mark.parametrize(("size", "ranks"), [(10, 2), (11, 2), (11, 4), (2, 4)])
@pytest.mark.parametrize("surplus", ["none", "filler"])
def test_evaluation_counts_every_tile_exactly_once(size, ranks, surplus):
    parts = [draw(size=size, rank=r, world_size=ranks, surplus=surplus) for r in range(ranks)]
    counted = [i for p in parts for i, seed in p if seed != FILLER]
    assert sorted(counted) == list(range(size))
    if surplus == "filler":
        assert len({len(p) for p in parts}) == 1
