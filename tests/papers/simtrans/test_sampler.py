import numpy as np
import pytest

from terrashot.errors import DataError
from terrashot.papers.simtrans.patches.noisy_batches import NoisyBatches
from terrashot.papers.simtrans.patches.sampler import PairBatchSampler, PassSampler


def test_simtrans_t10_batches_of_ten_classes_without_repeats_and_a_tenth_of_the_pairs_alike():
    labels = np.arange(40).repeat(200)
    sampler = PairBatchSampler(labels, 100, 10, batches=40)
    shares, seen = [], []
    for batch in sampler:
        indices = [i for i, _ in batch]
        assert len(batch) == 100
        assert len(set(labels[indices].tolist())) == 10
        seen += indices
        own = labels[indices]
        shares.append((own[:, None] == own[None, :]).mean())
    assert len(sampler) == 40
    assert len(seen) == len(set(seen)) == 4000
    assert np.mean(shares) == pytest.approx(0.1, abs=0.012)


def test_the_number_of_batches_is_floor_n_over_b():
    assert len(PairBatchSampler(np.arange(10).repeat(37), 50, 5)) == 7


def test_an_epoch_depends_on_seed_and_epoch_alone():
    labels = np.arange(6).repeat(30)
    one, two = (PairBatchSampler(labels, 20, 3, seed=1) for _ in "ab")
    assert list(one) == list(two)
    one.set_epoch(3)
    assert list(one) != list(two)
    two.set_epoch(3)
    assert list(one) == list(two)


def test_processes_share_the_batches_of_one_process():
    labels = np.arange(6).repeat(40)
    whole = list(PairBatchSampler(labels, 20, 3))
    parts = [list(PairBatchSampler(labels, 20, 3, rank=r, world_size=2)) for r in range(2)]
    assert [len(p) for p in parts] == [6, 6]
    assert [b for pair in zip(*parts, strict=True) for b in pair] == whole


def test_no_batch_has_a_single_class_however_uneven_the_classes_are():
    labels = np.array([0] * 500 + [1] * 6 + [2] * 3)
    sampler = PairBatchSampler(labels, 16, 3)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert all(len({labels[i] for i, _ in batch}) >= 2 for batch in batches)


@pytest.mark.parametrize("labels", [[1] * 20, [1], [1, 2]])
def test_one_class_is_refused(labels):
    if len(set(labels)) == 2:
        with pytest.raises(DataError, match="class ids"):
            PairBatchSampler(labels, 4, 1)
        return
    with pytest.raises(DataError, match="held_out"):
        PairBatchSampler(labels, 4, 5)


def test_novel_batches_may_be_of_one_class():
    sampler = PairBatchSampler([7] * 20, 4, 2, batches=9, least_classes=1)
    assert [len(b) for b in sampler] == [4] * 9


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_passes_see_every_unit_and_all_processes_make_as_many_steps(world_size):
    samplers = [PassSampler(23, [4, 10], rank=r, world_size=world_size) for r in range(world_size)]
    batches = [list(s) for s in samplers]
    assert len({len(b) for b in batches}) == 1
    assert len(batches[0]) == len(samplers[0])
    first = samplers[0].batches(0)
    for part, size in ((slice(first), 4), (slice(first, None), 10)):
        found = [i for b in batches for batch in b[part] for i, _ in batch]
        assert set(found) == set(range(23))
        assert all(len(batch) == size for b in batches for batch in b[part])


def test_a_pass_over_fewer_units_than_a_batch_is_one_batch():
    assert [len(b) for b in PassSampler(3, [8])] == [3]


def test_noisy_batches_stand_among_base_batches_and_repeat_no_class():
    labels = np.repeat([0, 1, 2, 3], 10)
    novel = np.repeat([4, 5, 6], 20)
    base = PairBatchSampler(labels, 8, 4, seed=1)
    noisy = NoisyBatches(base, novel, len(labels), 8, share=0.5)
    assert len(base) == 5
    assert len(noisy) == 7
    noisy.set_epoch(3)
    batches = [[i for i, _ in batch] for batch in noisy]
    assert len(batches) == 7
    extra = [b for b in batches if min(b) >= 40]
    assert len(extra) == 2
    assert all(max(b) < 40 for b in batches if b not in extra)
    for batch in extra:
        assert sorted(novel[i - 40] for i in batch) == [4, 5, 6]
    base.set_epoch(3)
    assert [b for b in batches if b not in extra] == [[i for i, _ in b] for b in base]
    assert batches == [[i for i, _ in b] for b in noisy]
    noisy.set_epoch(4)
    assert batches != [[i for i, _ in b] for b in noisy]
