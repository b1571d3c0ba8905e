import io
import stat
import zipfile

import pytest

from terrashot.data.download.unpack import unpack, unpacked_size
from terrashot.errors import DataError


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "in" / "a.zip"


def write(archive, members):
    """Write members as (name or ZipInfo, content)."""
    archive.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive, "w") as out:
        for name, content in members:
            out.writestr(name, content)


def everything(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_files_are_unpacked_with_their_folders_and_without_mac_litter(archive, tmp_path):
    members = [("top/a/1.tif", b"one"), ("__MACOSX/top/a/._1.tif", b"x"), ("top/.DS_Store", b"x")]
    write(archive, members)
    unpack(archive, tmp_path / "out")
    assert everything(tmp_path / "out") == ["top", "top/a", "top/a/1.tif"]
    assert unpacked_size(archive) == 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.txt", r"'\.\.'"),
        ("ok/../../evil.txt", r"'\.\.'"),
        ("..\\evil.txt", r"'\.\.'"),
        ("/tmp/evil.txt", "absolute"),
        ("\\evil.txt", "absolute"),
        ("C:\\evil.txt", "drive letter"),
        ("ok/c:evil.txt", "drive letter"),
    ],
)
def test_a_path_outside_the_folder_is_refused_before_anything_is_written(
    archive, tmp_path, name, reason
):
    write(archive, [("first.txt", b"harmless"), (name, b"evil")])
    before = everything(tmp_path)
    with pytest.raises(DataError, match=rf"a\.zip: the member .*evil.* was refused: .*{reason}"):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("kind", "reason"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "no plain file")]
)
def test_links_and_devices_are_refused(archive, tmp_path, kind, reason):
    link = zipfile.ZipInfo("trainset/images")
    link.external_attr = (kind | 0o777) << 16
    write(archive, [(link, b"/etc")])
    with pytest.raises(DataError, match=reason):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_member_that_stands_twice_is_refused(archive, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        write(archive, [("a.txt", b"1"), ("a.txt", b"2")])
    with pytest.raises(DataError, match="stands twice"):
        unpack(archive, tmp_path / "out")


def test_a_truncated_archive_is_named(archive, tmp_path):
    write(archive, [("a.txt", b"1" * 1000)])
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(DataError, match=r"a\.zip: this is no whole zip archive"):
        unpack(archive, tmp_path / "out")


def test_a_damaged_member_is_noticed(archive, tmp_path):
    write(archive, [("a.txt", b"1" * 1000)])
    content = io.BytesIO(archive.read_bytes())
    content.seek(200)
    content.write(b"X")
    archive.write_bytes(content.getvalue())
    with pytest.raises(DataError, match="CRC"):
        unpack(archive, tmp_path / "out")
