import json

import pytest

from terrashot.data.download.zenodo import ZenodoRecord
from terrashot.errors import DataError


def test_a_record_gives_names_sizes_and_checksums(server):
    server.files = {"a.zip": b"abc", "train.txt": b"a\n"}
    record = ZenodoRecord.fetch("7", server.url)
    assert record.title == "Tiles"
    assert record.files == (server.remote("a.zip"), server.remote("train.txt"))


def test_an_unknown_record_is_named(server):
    with pytest.raises(DataError, match=r"no record 8 \(HTTP 404\)"):
        ZenodoRecord.fetch("8", server.url)


def test_html_in_place_of_json_is_shown(server):
    server.record_body = b"<!doctype html><title>Maintenance</title>"
    with pytest.raises(DataError, match=r"expected the record as JSON, found text/html.*doctype"):
        ZenodoRecord.fetch("7", server.url)


def test_a_server_that_is_away_is_an_error_with_its_address():
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/api/records/7.*could not be read"):
        ZenodoRecord.fetch("7", "http://127.0.0.1:9", timeout=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "../a.zip"}, "plain file name"),
        ({"key": "C:a.zip"}, "plain file name"),
        ({"key": ".."}, "plain file name"),
        ({"checksum": "0123"}, "md5:<32 hex digits>"),
        ({"size": -1}, "md5:<32 hex digits>"),
        ({"links": {"self": "file:///etc/passwd"}}, "begins with https"),
    ],
)
def test_entries_that_could_do_harm_are_refused(server, change, message):
    server.files = {"a.zip": b"abc"}
    value = server.record()
    value["files"][0].update(change)
    with pytest.raises(DataError, match=message):
        ZenodoRecord.from_json(value, "7", server.url)


def test_a_record_without_files_is_an_error(server):
    server.record_body = json.dumps({"metadata": {}, "files": []}).encode()
    with pytest.raises(DataError, match="lists no files"):
        ZenodoRecord.fetch("7", server.url)
