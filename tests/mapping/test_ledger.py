import errno
import threading

import pytest

from terrashot.errors import DataError
from terrashot.mapping.ledger import Ledger


def test_runs_that_begin_at_the_same_moment_in_one_folder_lose_no_claim(tmp_path):
    pytest.importorskip("fcntl", reason="Windows has no such locks")
    together = threading.Barrier(8)

    def claim(number):
        together.wait()
        for scene in range(5):
            stem = f"{number}_{scene}"
            Ledger(tmp_path).claim({tmp_path / f"{stem}.tif": stem})

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Ledger(tmp_path).owners()) == 40


def test_a_folder_is_begun_when_files_are_claimed(tmp_path):
    ledger = Ledger(tmp_path / "maps")
    assert not ledger.is_begun
    ledger.claim({ledger.output / "a.tif": "a"})
    assert ledger.is_begun


def test_claims_that_can_not_be_read_for_a_moment_are_not_written_over(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    ledger.claim({tmp_path / "a.tif": "a"})

    def fail(path):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("terrashot.mapping.ledger.read_text", fail)
        with pytest.raises(DataError, match=r"mapping\.json can't be read \(Input/output error\)"):
            ledger.claim({tmp_path / "b.tif": "b"})
    assert ledger.owners() == {"a.tif": "a"}
