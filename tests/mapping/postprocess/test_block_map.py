"""A map in a file, on a disk that has no room for it."""

import errno
import os

import numpy as np
import pytest

from terrashot.errors import FullDiskError
from terrashot.mapping.postprocess.block_map import Block, BlockMap


def test_a_disk_without_room_for_the_map_is_an_error_and_no_killed_process(small_disk):
    with pytest.raises(FullDiskError, match=r"disk could not be written.*0\.4 MB are needed"):
        BlockMap((600, 600), small_disk)
    assert list(small_disk.iterdir()) == []


def test_room_is_taken_before_anything_is_written(small_disk):
    block_map = BlockMap((400, 400), small_disk)
    assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize < 110_000
    with pytest.raises(FullDiskError):
        block_map.like()
    block_map.write(Block(0, 0, 400, 400), np.full((400, 400), 7))
    assert (block_map.array() == 7).all()


def test_a_file_that_may_not_grow_is_an_error(tmp_path, no_file_beyond):
    with no_file_beyond(10_000), pytest.raises(FullDiskError, match="ulimit"):
        BlockMap((200, 200), tmp_path)


def test_a_file_system_that_can_not_reserve_is_used_without(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    block_map = BlockMap((20, 20), tmp_path)
    block_map.write(Block(0, 0, 20, 20), np.full((20, 20), 7))
    assert (block_map.array() == 7).all()
