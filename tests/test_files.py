import errno
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from terrashot.files import atomic_write, locked, read_text, write_json


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["results.json"]


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    write_json(tmp_path / "sub" / "new.json", [])
    mode = stat.S_IMODE((tmp_path / "sub" / "new.json").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode)


def test_rights_hold_where_several_threads_write(tmp_path):
    before = os.umask(0)
    os.umask(before)
    threads = [
        threading.Thread(target=lambda i=i: [write_json(tmp_path / f"{i}", n) for n in range(20)])
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.umask(before) == before
    assert len(os.listdir(tmp_path)) == 4


def test_a_rename_whose_answer_was_lost_counts_as_done(tmp_path, monkeypatch):
    """A client of a file server repeats the request, and the server finds nothing to rename."""
    replace = Path.replace

    def twice(self, target):
        replace(self, target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", twice)
    write_json(tmp_path / "run.json", {"a": 1})
    assert json.loads((tmp_path / "run.json").read_text()) == {"a": 1}


def test_a_temporary_file_that_was_lost_is_an_error(tmp_path):
    (tmp_path / "run.json").write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "run.json") as temporary:
        temporary.unlink()
    assert (tmp_path / "run.json").read_text() == "old"


@pytest.mark.parametrize("stale", [1, 4])
def test_a_file_that_was_replaced_on_another_machine_is_opened_anew(tmp_path, monkeypatch, stale):
    path = tmp_path / "run.json"
    path.write_text("new")
    tries = []

    def read(self, **named):
        tries.append(self)
        if len(tries) <= stale:
            raise OSError(errno.ESTALE, "Stale file handle")
        return "new"

    monkeypatch.setattr("terrashot.files._BETWEEN_TRIES", 0.0)
    monkeypatch.setattr(Path, "read_text", read)
    assert read_text(path) == "new"


def test_a_handle_that_stays_stale_is_an_error(tmp_path, monkeypatch):
    def read(self, **named):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("terrashot.files._BETWEEN_TRIES", 0.0)
    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(OSError, match="Stale"):
        read_text(tmp_path / "run.json")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_told_and_holds_nobody_up(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    told = pytest.warns(UserWarning, match=rf"{tmp_path.name}: the file system can't lock")
    with told, locked(tmp_path / ".lock") as own:
        assert own


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_a_lock_that_another_process_holds_is_not_had(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / ".lock") as own:
        assert not own
