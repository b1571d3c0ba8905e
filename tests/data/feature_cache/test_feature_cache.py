"""Features on disk: the same bits, never a damaged one, never more than the limit."""

import contextlib
import multiprocessing
import os
import sys
import threading
import time

import pytest
import torch
from tests.data.feature_cache.tile_maps import features

from terrashot.data.feature_cache import FeatureCache


def test_features_and_content_come_back_bit_by_bit(cache, image):
    assert cache.load(image) is None
    cache.save(image, features())
    found = cache.load(image)
    assert len(found.maps) == 2
    assert all(map(torch.equal, found.maps, features().maps))
    assert torch.equal(found.content, features().content)
    assert found.content.dtype == torch.bool
    assert found.seconds == 0.25


def test_another_network_size_or_image_has_an_entry_of_its_own(cache, image, tmp_path):
    cache.save(image, features())
    for context in ({"checkpoint": "b", "eval_size": None}, {"checkpoint": "a", "eval_size": 64}):
        assert FeatureCache(tmp_path / "cache", 1e6, context).load(image) is None
    assert cache.load(image, view=(-1,)) is None
    image.write_bytes(b"other pixels")
    assert cache.load(image) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_entry_is_told_and_computed_again(cache, image, damage):
    cache.save(image, features())
    (entry,) = cache.folder.iterdir()
    content = bytearray(entry.read_bytes())
    if damage == "cut":
        content = content[:-20]
    elif damage == "flipped":
        content[-30] ^= 4
    else:
        content = bytearray()
    entry.write_bytes(content)
    with pytest.warns(UserWarning, match=r"is damaged.*computed again"):
        assert cache.load(image) is None
    cache.save(image, features())
    assert all(map(torch.equal, cache.load(image).maps, features().maps))


def test_entries_unused_for_longest_go_first(tmp_path):
    images = []
    for index in range(4):
        images.append(tmp_path / f"{index}.tif")
        images[-1].write_bytes(b"x")
    size = 1000 * (5 * 7 + 2 * 3) * 4
    cache = FeatureCache(tmp_path / "cache", 3.5 * size, {})
    for path in images[:3]:
        cache.save(path, features(channels=1000))
    assert cache.load(images[0]) is not None  # used again, so the second is the oldest
    cache.save(images[3], features(channels=1000))
    assert [cache.load(path) is not None for path in images] == [True, False, True, True]


def test_a_tile_larger_than_the_limit_is_not_kept(tmp_path, image):
    cache = FeatureCache(tmp_path / "cache", 100, {})
    with pytest.warns(UserWarning, match=r"not all kept \(a tile takes 0\.0 MB, and the limit"):
        cache.save(image, features())
    assert cache.load(image) is None


def test_features_outlive_their_file(cache, image):
    """A file that is cut under a memory map would kill the process."""
    cache.save(image, features(channels=500))
    found = cache.load(image)
    (entry,) = cache.folder.iterdir()
    with entry.open("r+b") as file:
        file.truncate(0)
    assert all(map(torch.equal, found.maps, features(channels=500).maps))


def test_what_killed_writers_left_goes_and_other_files_stay(cache, image):
    cache.save(image, features())
    old, fresh, foreign = (
        cache.folder / name for name in (".a.1234.safetensors", ".b.1234.safetensors", ".nfs0001")
    )
    for path in (old, fresh, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (time.time() - 7200,) * 2)
    cache.save(image, features(), view=(-1,))
    assert not old.exists()
    assert fresh.exists()
    assert foreign.exists()


def test_a_writer_counts_what_another_one_is_just_writing(tmp_path, image):
    limit = 1.5 * 200 * (5 * 7 + 2 * 3) * 4
    first, second = (FeatureCache(tmp_path / "cache", limit, {"number": n}) for n in (1, 2))
    look = first._make_room

    def between(coming):
        look(coming)
        with pytest.warns(UserWarning, match="other processes write just now"):
            second.save(image, features(2, 200))

    first._make_room = between
    first.save(image, features(1, 200))
    assert first.load(image) is not None
    assert second.load(image) is None


def _work(folder, images, limit, start, failures):
    """Read and write tiles until all were asked for several times; runs in a process of its own."""
    try:
        cache = FeatureCache(folder, limit, {})
        for step in range(15):
            index = (start + step) % len(images)
            found = cache.load(images[index])
            if found is None:
                cache.save(images[index], features(index, 200))
            elif not all(map(torch.equal, found.maps, features(index, 200).maps)):
                failures.put(f"tile {index} is another one")
    except BaseException as error:
        failures.put(repr(error))


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_several_processes_never_take_more_than_the_limit(tmp_path):
    images = [tmp_path / f"{index}.tif" for index in range(6)]
    for path in images:
        path.write_bytes(b"x")
    folder, limit = tmp_path / "cache", 3.2 * 34_000
    folder.mkdir()
    context = multiprocessing.get_context("fork")
    failures = context.Queue()
    workers = [
        context.Process(target=_work, args=(folder, images, limit, start, failures))
        for start in (0, 2, 4)
    ]
    for worker in workers:
        worker.start()
    most = 0
    while any(worker.is_alive() for worker in workers):
        sizes = []
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):
                sizes.append(0 if entry.name.startswith(".") else entry.stat().st_size)
        most = max(most, sum(sizes))
        time.sleep(0.002)
    assert failures.empty(), failures.get()
    assert 0 < most <= limit
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_many_writers_readers_and_evictions_at_once_never_give_a_wrong_tile(tmp_path):
    images = []
    for index in range(6):
        images.append(tmp_path / f"{index}.tif")
        images[-1].write_bytes(b"x")
    limit = 3.5 * 200 * (5 * 7 + 2 * 3) * 4  # half of the tiles: every writer evicts
    wrong, errors = [], []

    def work(start):
        cache = FeatureCache(tmp_path / "cache", limit, {})
        try:
            for step in range(30):
                index = (start + step) % 6
                found = cache.load(images[index])
                if found is None:
                    cache.save(images[index], features(index, 200))
                elif not all(map(torch.equal, found.maps, features(index, 200).maps)):
                    wrong.append(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not errors
