"""What is said of a disk that takes no more."""

import errno
import pickle
import re

import pytest

from terrashot.errors import FullDiskError, TerrashotError
from terrashot.files import atomic_write
from terrashot.full_disk import full_disk_told, room


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
    ],
)
def test_file_reason_and_room_are_named(tmp_path, number, said):
    path = tmp_path / "not_yet" / "map.tif"
    with pytest.raises(FullDiskError) as caught, full_disk_told(path, needed=3_000_000):
        raise OSError(number, "from the system")
    message = str(caught.value)
    assert message.startswith(f"{path} could not be written: ")
    assert said in message
    assert re.search(r"[\d,]+\.\d MB are free, and about 3\.0 MB are needed", message)
    assert caught.value.errno == number


def test_another_error_stays_what_it_is(tmp_path):
    with pytest.raises(PermissionError), full_disk_told(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_the_file_that_the_system_names_is_the_one_that_is_told(tmp_path):
    with pytest.raises(FullDiskError, match=r"^other\.csv could"), full_disk_told(tmp_path):
        raise OSError(errno.ENOSPC, "full", "other.csv")


def test_the_error_reaches_another_process_whole():
    error = pickle.loads(pickle.dumps(FullDiskError(errno.ENOSPC, "what is said")))
    assert isinstance(error, TerrashotError)
    assert (str(error), error.errno) == ("what is said", errno.ENOSPC)


def test_room_is_that_of_the_disk(small_disk):
    assert room(small_disk / "any" / "file").startswith("0.3 MB are free")


def test_a_disk_that_fills_up_leaves_no_part_of_a_file(small_disk):
    path = small_disk / "results.json"
    path.write_text("old")
    with pytest.raises(FullDiskError, match="the disk is full"), atomic_write(path) as temporary:
        temporary.write_bytes(bytes(500_000))
    assert path.read_text() == "old"
    assert [p.name for p in small_disk.iterdir()] == ["results.json"]


def test_a_file_that_may_not_grow_leaves_no_part_of_itself(tmp_path, no_file_beyond):
    path = tmp_path / "results.json"
    refused = pytest.raises(FullDiskError, match="ulimit")
    with no_file_beyond(10_000), refused, atomic_write(path) as temporary:
        temporary.write_bytes(bytes(20_000))
    assert list(tmp_path.iterdir()) == []
