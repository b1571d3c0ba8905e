"""Features on disk: the same bits, never a damaged one, never more than the limit."""

import contextlib
import errno
import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from terrashot.data.feature_cache import FeatureCache, TileMaps


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "tile.tif"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def features(seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    content = torch.rand((9, 11), generator=generator) > 0.5
    maps = [torch.randn((channels, *size), generator=generator) for size in ((5, 7), (2, 3))]
    return TileMaps(tuple(maps), content, 0.25)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache", 1e6, {"checkpoint": "a", "eval_size": None})


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


@pytest.mark.filterwarnings("error")
def test_a_disk_that_takes_no_more_is_told_once(tmp_path, image):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = FeatureCache(tmp_path / "cache", 1e6, {})
    assert cache.load(image) is None
    with pytest.warns(UserWarning, match=r"not all kept.*paths\.feature_cache"):
        cache.save(image, features())
    cache.save(image, features())


def fill(disk, leaving):
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "other").write_bytes(bytes(free - leaving))


@pytest.mark.filterwarnings("error")
def test_a_full_disk_is_told_once_and_used_again_when_there_is_room(small_disk, image):
    cache = FeatureCache(small_disk / "cache", 1e6, {})
    fill(small_disk, leaving=20_000)
    with pytest.warns(UserWarning, match=r"has 0\.0 MB free, of which 0\.0 MB are left to other"):
        cache.save(image, features(channels=200))
    cache.save(image, features(channels=200))
    assert list(cache.folder.iterdir()) == []
    (small_disk / "other").unlink()
    cache.save(image, features(channels=200))
    assert cache.load(image) is not None


def test_the_cache_gives_room_back_on_a_disk_that_others_fill(small_disk, tmp_path):
    images = [tmp_path / f"{index}.tif" for index in range(6)]
    cache = FeatureCache(small_disk / "cache", 1e6, {})
    for index, path in enumerate(images[:5]):
        path.write_bytes(b"x")
        cache.save(path, features(index, 200))  # some 33 kB each
    fill(small_disk, leaving=5_000)
    images[5].write_bytes(b"x")
    cache.save(images[5], features(5, 200))
    kept = [cache.load(path) is not None for path in images]
    assert kept == [False, False, True, True, True, True]
    assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize >= 0.05 * 256 * 1024


@pytest.mark.filterwarnings("error")
def test_a_disk_that_fills_up_while_an_entry_is_written_keeps_no_part(small_disk, image):
    cache = FeatureCache(small_disk / "cache", 1e6, {})
    cache._make_room = lambda coming: fill(small_disk, leaving=8_192)
    with pytest.warns(UserWarning, match="takes no more of them: the disk is full"):
        cache.save(image, features(channels=200))
    assert list(cache.folder.iterdir()) == []
    cache.save(image, features(channels=200))  # in silence


@pytest.mark.filterwarnings("error")
def test_a_file_that_may_not_grow_is_told_once(cache, image, no_file_beyond):
    with no_file_beyond(5_000):
        with pytest.warns(UserWarning, match=r"takes no more of them.*ulimit"):
            cache.save(image, features(channels=200))
        cache.save(image, features(channels=200))
    assert list(cache.folder.iterdir()) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESTALE])
def test_an_entry_that_goes_while_it_is_read_is_computed_again(cache, image, monkeypatch, number):
    cache.save(image, features())

    def gone(self):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("terrashot.data.feature_cache.read_tensors", gone)
        assert cache.load(image) is None
        patched.setattr(Path, "replace", lambda *_: gone(None))
        cache.save(image, features(1))  # the folder goes: not kept, and nothing to tell
    assert cache.load(image) is not None


@pytest.mark.filterwarnings("error")
def test_an_entry_of_another_user_can_be_read(cache, image, monkeypatch):
    cache.save(image, features())

    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    assert all(map(torch.equal, cache.load(image).maps, features().maps))


@pytest.mark.filterwarnings("error")
def test_what_can_not_be_read_is_told_once(cache, image, monkeypatch):
    cache.save(image, features())

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("terrashot.data.feature_cache.read_tensors", refuse)
    with pytest.warns(UserWarning, match="can't be read: Permission denied"):
        assert cache.load(image) is None
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


def test_entries_that_can_not_be_deleted_do_not_stop_the_others(tmp_path, monkeypatch):
    images = [tmp_path / f"{index}.tif" for index in range(4)]
    size = 1000 * (5 * 7 + 2 * 3) * 4
    cache = FeatureCache(tmp_path / "cache", 3.5 * size, {})
    for path in images:
        path.write_bytes(b"x")
    for path in images[:3]:
        cache.save(path, features(channels=1000))
    unlink, first = Path.unlink, cache._path(images[0], ())

    def of_another_user(self, missing_ok=False):
        if self == first:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", of_another_user)
    cache.save(images[3], features(channels=1000))
    assert [cache.load(path) is not None for path in images] == [True, False, True, True]


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
