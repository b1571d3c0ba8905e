"""Addresses: what opens them, what products are called, and what is never said of them."""

import zipfile

import pytest

from terrashot.data.remote.address import RemoteFile, is_address, scrubbed, without_secrets
from terrashot.data.remote.places import elsewhere
from terrashot.errors import DataError

SIGNED = "https://me:pass@host.org:8443/a/b%20c.tif?sv=2024&sig=abc%2Fd&file=7"


@pytest.mark.parametrize(
    ("address", "gdal", "name", "stem"),
    [
        ("https://h.org/a/city.tif", "/vsicurl/https://h.org/a/city.tif", "city.tif", "city"),
        ("s3://bucket/a/b.TIF", "/vsis3/bucket/a/b.TIF", "b.TIF", "b"),
        ("/vsis3/bucket/x.v2.tif", "/vsis3/bucket/x.v2.tif", "x.v2.tif", "x.v2"),
        ("/vsizip/{/z/a.zip}/in.jp2", "/vsizip/{/z/a.zip}/in.jp2", "in.jp2", "in"),
        ("http://h/get?id=3&sig=x", "/vsicurl/http://h/get?id=3&sig=x", "get", "get"),
        ("https://h/ä%2F%00b c.tif", "/vsicurl/https://h/ä%2F%00b%20c.tif", "_b c.tif", "_b c"),
        ("https://h/.hidden.tif", "/vsicurl/https://h/.hidden.tif", "hidden.tif", "hidden"),
        (
            "/vsicurl?x=1&url=https%3A%2F%2Fh%2Fq.tif%3Fsig%3D1",
            "/vsicurl?x=1&url=https%3A%2F%2Fh%2Fq.tif%3Fsig%3D1",
            "q.tif",
            "q",
        ),
    ],
)
def test_gdal_opens_it_and_products_get_a_plain_name(address, gdal, name, stem):
    file = RemoteFile.of(address)
    assert (file.gdal, file.name, file.stem) == (gdal, name, stem)
    assert is_address(address)


def test_a_path_is_no_address():
    for path in ("city.tif", "/data/city.tif", "C:/x.tif", "vsi/x.tif", "scenes/*.tif", "/vsi"):
        assert not is_address(path)
        assert elsewhere(path) is None


def test_what_follows_the_place_of_a_file_is_never_said():
    file = RemoteFile.of(SIGNED)
    for said in (str(file), repr(file), f"{[file]}", file.name, without_secrets(f"x '{SIGNED}'")):
        for secret in ("pass", "sig=", "abc", "2024", "me:"):
            assert secret not in said
    assert str(file) == "https://...@host.org:8443/a/b%20c.tif?..."
    told = "b c.tif?sv=2024&sig=abc%2Fd&file=7, band 1: IReadBlock failed"
    assert scrubbed(told, SIGNED) == "b c.tif?..., band 1: IReadBlock failed"
    text = "--input 'stac:https://h/v1?token=1#bbox=1,2,3,4' /vsicurl?header.Authorization=x&url=y"
    assert without_secrets(text) == "--input 'stac:https://h/v1?...#bbox=1,2,3,4' /vsicurl?..."
    assert without_secrets("is it? yes: a.tif") == "is it? yes: a.tif"


def test_a_new_signature_leaves_a_scene_what_it_was():
    plain = RemoteFile.of("https://h/a.tif")
    for query in (
        "X-Amz-Signature=1&X-Amz-Date=2&X-Amz-Credential=3",
        "sv=1&se=2&sr=b&sp=r&sig=4",
        "Expires=1&Signature=2&Key-Pair-Id=3",
        "X-Goog-Signature=9",
        "token=1",
    ):
        one, other = (
            RemoteFile.of(f"https://h/a.tif?{q}") for q in (query, query.replace("=", "=9"))
        )
        assert one.key == other.key
    assert RemoteFile.of("https://u:p@h/a.tif").key == plain.key
    assert RemoteFile.of("https://h/get?file=a").key != RemoteFile.of("https://h/get?file=b").key
    assert plain.key != RemoteFile.of("https://h/b/a.tif").key


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ftp://h/a.tif", "not with ftp://"),
        ("gs://bucket/a.tif", "/vsigs/BUCKET/KEY"),
        ("https://h/", "no single file"),
        ("https://h/folder/", "no single file"),
        ("https://h/*.tif", "stac:"),
        ("https://h/a.vrt", "gdalbuildvrt"),
        ("https://h/a.tif?...", "Give the whole address again"),
        ("https://...@h/a.tif", "Give the whole address again"),
    ],
)
def test_what_names_no_file_is_refused_with_the_remedy(address, why):
    if address == "https://h/folder/":
        assert RemoteFile.of(address).stem == "folder"  # nobody can tell it from a file
        return
    with pytest.raises(DataError, match=why.replace("*", r"\*")):
        RemoteFile.of(address)


def test_the_file_of_this_machine_is_found_that_an_archive_or_a_part_is_of(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/x.tif", b"")
    own = tmp_path / "a.zip"
    for address in (
        f"/vsizip/{own}/in/x.tif",
        f"/vsizip/{{{own}}}/in/x.tif",
        f"/vsisubfile/10_20,{own}",
        str(own),
    ):
        assert RemoteFile.of(address, name="x").local == own
    assert RemoteFile.of(f"/vsizip//vsicurl/http://h{own}/x.tif").local is None
    assert RemoteFile.of("s3://bucket/x.tif").local is None


def test_file_addresses_are_paths():
    (path,) = elsewhere("file:///data/a%20b.tif")
    assert str(path) == "/data/a b.tif"
