"""The cache on disks that are full, shared or that fail: told once, and never in the way."""

import errno
import os
from pathlib import Path

import pytest
import torch
from tests.data.feature_cache.tile_maps import features

from terrashot.data.feature_cache import FeatureCache


def fill(disk, leaving):
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "other").write_bytes(bytes(free - leaving))


@pytest.mark.filterwarnings("error")
def test_a_disk_that_takes_no_more_is_told_once(tmp_path, image):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = FeatureCache(tmp_path / "cache", 1e6, {})
    assert cache.load(image) is None
    with pytest.warns(UserWarning, match=r"not all kept.*paths\.feature_cache"):
        cache.save(image, features())
    cache.save(image, features())


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
