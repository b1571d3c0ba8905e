import os

import pytest

from terrashot import threads


def test_waiting_threads_sleep_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    threads.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    threads.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),  # one and a half: a second thread has half a core
        ("20000 100000\n", 1),
        ("6400000 100000\n", 8),  # more than there are
        ("what is this", 8),
        (None, 8),  # no such file
    ],
)
def test_a_containers_quota_bounds_the_cores(monkeypatch, tmp_path, content, cores):
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(threads, "_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert threads.available_cores() == cores


def test_threads_are_those_of_the_cores_or_as_the_user_says(monkeypatch, tmp_path):
    (tmp_path / "cpu.max").write_text("200000 100000")
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.default_threads(8) == 2
    assert threads.default_threads(1) == 1  # fewer, where a launcher shares out the cores
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert threads.default_threads(6) == 6
