"""SIGTERM ends a run as an exit; SIGUSR1 puts a SLURM job back in line, if that helps."""

import os
import signal

import pytest
import torch

from terrashot.app.run.folder import RunFolder
from terrashot.app.run.launch import Launch
from terrashot.app.run.signals import AGAIN, heed_signals

JOB = Launch("slurm job 7 of alps", "7")
pytestmark = pytest.mark.skipif(AGAIN is None, reason="this system has no SIGUSR1")


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """A scontrol that writes down what it is asked; returns what it wrote."""
    log, program = tmp_path / "asked.txt", tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: log.read_text().splitlines() if log.exists() else []


def reach(folder, step):
    folder.checkpoints.mkdir(exist_ok=True)
    torch.save({"global_step": step}, folder.checkpoints / "last.ckpt")


@pytest.fixture
def plain_sigterm():
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_sigterm_ends_the_run_as_an_exit_and_a_second_one_does_not_cut_that_short(
    folder, plain_sigterm
):
    with pytest.raises(SystemExit) as error, heed_signals(folder, Launch()):
        signal.raise_signal(signal.SIGTERM)
    assert error.value.code == 143
    signal.raise_signal(signal.SIGTERM)  # SLURM's for the job, after that for the step


def test_a_run_that_nobody_ended_leaves_sigterm_as_it_was(folder):
    with heed_signals(folder, Launch()):
        pass
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_that_stands_already_keeps_sigterm(folder):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("theirs"))
    try:
        with heed_signals(folder, JOB):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["theirs"]


def test_a_job_whose_time_is_up_is_put_back_in_line(folder, scontrol, capsys):
    reach(folder, 12)
    with heed_signals(folder, JOB):
        reach(folder, 24)
        signal.raise_signal(AGAIN)
    assert scontrol() == ["requeue 7"]
    assert "SLURM job 7 is nearly up: it is put back in line" in capsys.readouterr().out
    assert signal.getsignal(AGAIN) is signal.SIG_DFL


@pytest.mark.parametrize("step", [0, 12])
def test_a_job_that_got_no_further_is_not(folder, scontrol, capsys, step):
    if step:
        reach(folder, step)
    with heed_signals(folder, JOB):
        reach(folder, step)
        signal.raise_signal(AGAIN)
    assert scontrol() == []
    assert "not one epoch" in capsys.readouterr().out


def test_a_run_that_trains_nothing_comes_again_and_a_refusal_is_told(folder, scontrol, capsys):
    program = next(folder.path.glob("bin/scontrol"))
    program.write_text("#!/bin/sh\necho 'Only batch jobs can be requeued' >&2\nexit 1\n")
    with heed_signals(folder, JOB):
        signal.raise_signal(AGAIN)
    assert "could not be put back in line: Only batch jobs" in capsys.readouterr().out


def test_processes_after_the_first_leave_it_to_that_one(folder, scontrol, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    with heed_signals(folder, JOB):
        signal.raise_signal(AGAIN)
    assert scontrol() == []
