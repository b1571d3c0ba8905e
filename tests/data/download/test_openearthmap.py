import io
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
import yaml
from rich.console import Console

from terrashot.data.download.openearthmap import OpenEarthMapDownload
from terrashot.data.download.placing import missing
from terrashot.errors import DataError

LISTS = {"train.txt": b"a.tif\n", "val.json": b"{}", "test.json": b"{}", "stage1_val.txt": b"a\n"}


def split(name, top=""):
    return {f"{top}{name}/images/a.tif": name.encode(), f"{top}{name}/labels/a.tif": b"label"}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "oem"


@pytest.fixture
def screen():
    return io.StringIO()


@pytest.fixture
def download(server, root, screen):
    def run(**arguments):
        console = Console(file=screen, width=200)
        job = OpenEarthMapDownload(root, "7", server.url, console=console, **arguments)
        job.fetcher.sleep = lambda _: None
        return job.run()

    return run


@pytest.fixture
def record(server, make_zip):
    """Three archives that differ in their wrapping, and one that brings the lists."""
    server.files = {
        "trainset.zip": make_zip({"images/a.tif": b"trainset", "labels/a.tif": b"label"}),
        "valset.zip": make_zip(split("valset")),
        "testset.zip": make_zip(split("testset", "OEM_v3/data/")),
        "lists.zip": make_zip({f"OEM/{name}": content for name, content in LISTS.items()}),
        "paper.pdf": b"%PDF",
    }


def assert_whole(root):
    assert missing(root) == []
    for name in ("trainset", "valset", "testset"):
        assert (root / name / "images" / "a.tif").read_bytes() == name.encode()
        assert (root / name / "labels" / "a.tif").read_bytes() == b"label"
    assert (root / "train.txt").read_bytes() == LISTS["train.txt"]


@pytest.mark.usefixtures("record")
def test_archives_of_any_wrapping_end_in_the_layout(server, download, root, screen):
    assert download() == []
    assert_whole(root)
    assert sorted(p.name for p in root.parent.iterdir()) == ["oem"]  # nothing is left beside it
    assert "paper.pdf" not in [name for name, _ in server.asked]
    assert "left out" in screen.getvalue()


@pytest.mark.usefixtures("record")
def test_archives_are_kept_on_request_and_a_second_run_asks_for_nothing(
    server, download, root, screen
):
    download(keep_archives=True)
    kept = root.with_name("oem.download")
    assert sorted(p.name for p in kept.iterdir()) == sorted(set(server.files) - {"paper.pdf"})
    asked = len(server.asked)
    assert download() == []
    assert len(server.asked) == asked
    assert "is complete: nothing to fetch" in screen.getvalue()


@pytest.mark.usefixtures("record")
def test_an_interrupted_download_makes_no_root_and_goes_on(server, download, root, monkeypatch):
    server.cuts = [None, 100] + [0] * 20
    with pytest.raises(DataError, match=r"tries in a row brought nothing new"):
        download()
    assert not root.exists()
    assert (root.with_name("oem.download") / "trainset.zip").is_file()
    server.cuts, server.asked = [], []
    assert download() == []
    assert_whole(root)
    assert server.asked[0] == ("valset.zip", "bytes=100-")


@pytest.mark.usefixtures("record")
def test_chosen_files_alone_are_fetched_and_the_rest_added_later(server, download, root, screen):
    assert set(download(files=["trainset.zip"])) == {"valset", "testset", *LISTS}
    (root / "trainset" / "mine.txt").write_text("kept")
    server.asked = []
    assert download() == []
    assert_whole(root)
    assert (root / "trainset" / "mine.txt").exists()
    assert "trainset.zip" not in [name for name, _ in server.asked]


@pytest.mark.usefixtures("record")
def test_a_file_that_the_record_has_not_is_told_with_those_it_has(server, download):
    with pytest.raises(DataError, match=r"no file nosuch\.zip; it holds trainset\.zip"):
        download(files=["nosuch.zip"])
    assert server.asked == []


def test_missing_lists_are_named_with_what_they_hold(server, download, root, screen, make_zip):
    members = {**split("trainset"), **split("valset"), **split("testset"), "train.txt": b"a.tif\n"}
    server.files = {"all.zip": make_zip(members)}
    assert download() == ["val.json", "test.json", "stage1_val.txt"]
    text = screen.getvalue()
    assert 'missing val.json: {"support_set": {"8": [5 names], ...}, "query_set": [names]}' in text
    assert "awk" in text
    assert "missing train.txt" not in text


def test_the_list_that_the_record_lacks_is_written(server, download, root, make_zip, repository):
    config = yaml.safe_load((repository / "configs/data/openearthmap.yaml").read_text())
    names = config["stage1_val"]
    train = "\n".join(["a.tif", *names]).encode()
    members = {**split("trainset"), **split("valset"), **split("testset"), "train.txt": train}
    server.files = {"all.zip": make_zip(members)}
    assert download() == ["val.json", "test.json"]
    assert (root / "stage1_val.txt").read_text().split() == names


def test_loose_lists_of_the_record_are_placed(server, download, root, make_zip):
    archive = make_zip({**split("trainset"), **split("valset"), **split("testset")})
    server.files = {"all.zip": archive, **LISTS}
    assert download() == []
    assert_whole(root)


@pytest.mark.usefixtures("record")
def test_too_little_room_is_told_before_anything_is_fetched(server, download, root, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10_000, 9_000, 1_000))
    with pytest.raises(DataError, match=r"kB needed .*1\.0 kB free"):
        download()
    assert server.asked == []
    assert not root.exists()


@pytest.mark.usefixtures("record")
def test_a_zip_that_writes_outside_is_refused_and_leaves_no_root(
    server, download, root, tmp_path, make_zip
):
    server.files["valset.zip"] = make_zip({**split("valset"), "../../../../evil.txt": b"evil"})
    with pytest.raises(DataError, match=r"valset\.zip: the member '.*evil\.txt' was refused"):
        download()
    assert not root.exists()
    assert list(tmp_path.rglob("evil*")) == []
    assert not (root.with_name("oem.download") / "unpacked").exists()


def test_archives_without_the_splits_say_what_they_hold(server, download, root, make_zip):
    server.files = {"a.zip": make_zip({"cats/1.jpg": b"cat"})}
    with pytest.raises(DataError, match=r"found archives/a.*Check --record"):
        download()
    assert not root.exists()


def test_a_split_that_stands_twice_is_refused(server, download, make_zip):
    server.files = {"a.zip": make_zip({**split("trainset", "v1/"), **split("trainset", "v2/")})}
    with pytest.raises(DataError, match=r"'trainset' stands twice .*v1/trainset.*v2/trainset"):
        download()


def test_an_empty_split_folder_in_the_way_is_told_at_once(server, download, root):
    (root / "trainset").mkdir(parents=True)
    with pytest.raises(DataError, match="holds no images"):
        download()
    assert server.asked == []


@pytest.mark.usefixtures("record")
def test_the_command_reports_by_its_exit_code(server, root, repository):
    command = [sys.executable, repository / "run.py", "download", "openearthmap"]

    def run(*arguments):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    good = run("--root", root, "--record", "7", "--base-url", server.url)
    assert good.returncode == 0, good.stderr
    assert_whole(root)
    bad = run("--root", root.with_name("b"), "--record", "8", "--base-url", server.url)
    assert bad.returncode == 1
    assert "no record 8" in bad.stderr
    assert "Traceback" not in bad.stderr
    assert run("--nonsense").returncode == 2
