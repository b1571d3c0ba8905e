import os

import pytest

from terrashot.data.download.zenodo import RemoteFile
from terrashot.errors import DataError

CONTENT = bytes(range(256)) * 2000  # 512 kB, every part of it unlike a shifted one


@pytest.fixture
def tile_zip(server):
    server.files["a.zip"] = CONTENT
    return server.remote("a.zip")


def test_a_file_arrives_whole_and_progress_ends_at_its_size(server, fetcher, tile_zip):
    told = []
    path = fetcher.fetch(tile_zip, told.append)
    assert path.read_bytes() == CONTENT
    assert told[-1] == len(CONTENT)
    assert os.listdir(fetcher.folder) == ["a.zip"]


def test_cut_connections_are_resumed_where_they_broke(server, fetcher, tile_zip, naps):
    server.cuts = [100_000, 50_000]
    assert fetcher.fetch(tile_zip).read_bytes() == CONTENT
    assert [span for _, span in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert naps == [1.0, 1.0]  # each try brought something, so the waiting does not grow


def test_a_server_that_ignores_ranges_does_not_corrupt_the_file(server, fetcher, tile_zip):
    server.ranges = False
    server.cuts = [100_000]
    assert fetcher.fetch(tile_zip).read_bytes() == CONTENT
    assert server.asked[1] == ("a.zip", "bytes=100000-")


def test_tries_without_gain_end_in_an_error_and_keep_the_part(server, fetcher, tile_zip, naps):
    server.ranges = False  # starts over each time and gets no further
    server.cuts = [100_000, 50_000] * 10
    with pytest.raises(DataError, match=r"4 tries .*50,000 of 512,000 bytes .*a\.zip\.part"):
        fetcher.fetch(tile_zip)
    assert len(server.asked) == 4
    assert naps == [1.0, 2.0, 4.0]
    assert (fetcher.folder / "a.zip.part").stat().st_size == 50_000
    assert not (fetcher.folder / "a.zip").exists()


def test_a_later_run_continues_the_part_of_an_interrupted_one(server, fetcher, tile_zip):
    def interrupt(done):
        if done > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetcher.fetch(tile_zip, interrupt)
    have = fetcher.present(tile_zip)
    assert 0 < have < len(CONTENT)
    assert fetcher.fetch(tile_zip).read_bytes() == CONTENT
    assert server.asked[-1] == ("a.zip", f"bytes={have}-")


def test_a_whole_file_is_not_fetched_again(server, fetcher, tile_zip):
    fetcher.fetch(tile_zip)
    fetcher.fetch(tile_zip)
    assert len(server.asked) == 1


def test_a_part_of_something_else_heals_by_starting_over_once(server, fetcher, tile_zip):
    fetcher.folder.mkdir()
    (fetcher.folder / "a.zip.part").write_bytes(b"x" * 1000)
    assert fetcher.fetch(tile_zip).read_bytes() == CONTENT
    assert [span for _, span in server.asked] == ["bytes=1000-", None]


def test_a_wrong_checksum_is_tried_once_more_and_then_named(server, fetcher):
    server.files["a.zip"] = CONTENT
    right = server.remote("a.zip").md5
    server.md5["a.zip"] = "0" * 32
    with pytest.raises(DataError, match=rf"a\.zip: its md5 is {right}, expected {'0' * 32}"):
        fetcher.fetch(server.remote("a.zip"))
    assert len(server.asked) == 2
    assert os.listdir(fetcher.folder) == []


def test_a_busy_server_is_given_the_time_it_asks_for(server, fetcher, tile_zip, naps):
    server.statuses = [429, 503]
    assert fetcher.fetch(tile_zip).read_bytes() == CONTENT
    assert naps == [7.0, 7.0]


def test_a_refusal_is_told_at_once(server, fetcher, tile_zip, naps):
    server.statuses = [403]
    with pytest.raises(DataError, match=r"HTTP 403"):
        fetcher.fetch(tile_zip)
    assert naps == []


def test_a_server_that_is_away_is_an_error_not_a_traceback(fetcher):
    file = RemoteFile("a.zip", 512_000, "0" * 32, "http://127.0.0.1:9/a.zip")
    with pytest.raises(DataError, match=r"refused\); 0 of 512,000 bytes"):
        fetcher.fetch(file)


def test_a_full_disk_is_told_and_the_part_stays(server, fetcher, tile_zip):
    def fill(done):
        if done > 100_000:
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"a\.zip\.part.*No space left.*make room"):
        fetcher.fetch(tile_zip, fill)
    assert fetcher.present(tile_zip) > 0
