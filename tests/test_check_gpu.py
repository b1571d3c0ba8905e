"""A part of the check that fails, hangs or dies is a row, and the next one runs."""

import os
import subprocess
import sys
import time

import pytest


@pytest.fixture
def part(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    from gpu_check import part

    return part


@pytest.fixture
def run(part, tmp_path):
    def run(work, seconds=60.0):
        place = part.Place("cpu", 32, tmp_path / "part", seconds)
        return part.run_part(part.Part("some work", work, seconds), place)

    return run


def test_figures_come_back(run):
    outcome = run(lambda place: {"size": place.size, "own folder": place.folder.is_dir()})
    assert (outcome.state, outcome.reason) == ("ok", "")
    assert outcome.figures == {"size": 32, "own folder": True}


def test_a_failure_is_told_with_what_was_printed_before(run):
    def work(place):
        print("so far so good")
        subprocess.run([sys.executable, "-c", "print('from a process')"], check=True)
        raise ValueError("out of luck")

    outcome = run(work)
    assert outcome.state == "FAILED"
    for said in ("ValueError: out of luck", "so far so good", "from a process"):
        assert said in outcome.reason


def test_an_exit_is_a_failure_too(run):
    outcome = run(lambda place: sys.exit("no more"))
    assert (outcome.state, "SystemExit: no more" in outcome.reason) == ("FAILED", True)


def test_what_dies_without_a_word_is_a_failure(run):
    outcome = run(lambda place: os.kill(os.getpid(), 9))
    assert outcome.state == "FAILED"
    assert "code -9" in outcome.reason


def test_what_the_machine_cannot_do_is_skipped(run, part):
    def work(place):
        raise part.SkippedError("no such card")

    assert (run(work).state, run(work).reason) == ("skipped", "no such card")


@pytest.mark.slow
def test_a_part_ends_with_its_budget_and_so_does_what_it_started(run, tmp_path):
    def work(place):
        child = subprocess.Popen(["sleep", "600"])
        (tmp_path / "pid").write_text(str(child.pid))
        print("waiting")
        time.sleep(600)

    outcome = run(work, seconds=3)
    assert outcome.state == "TOO LATE"
    assert outcome.seconds < 60
    assert "budget of 3 s" in outcome.reason
    assert "waiting" in outcome.reason
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", (tmp_path / "pid").read_text()], capture_output=True, text=True
    ).stdout
    assert state[:1] in ("", "Z")  # gone, or ended and not yet waited for
