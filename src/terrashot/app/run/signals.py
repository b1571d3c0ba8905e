"""What a scheduler says by signals: end now (SIGTERM), or the time is up, come again (SIGUSR1)."""

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from terrashot.app.run.folder import RunFolder
from terrashot.app.run.launch import Launch

AGAIN = getattr(signal, "SIGUSR1", None)  # Windows has none
"""What ``--signal=USR1@120`` of sbatch sends 120 seconds before the end of the time limit."""


@contextlib.contextmanager
def heed_signals(folder: RunFolder, launch: Launch) -> Iterator[None]:
    """Let SIGTERM end the run as an exit, and in a SLURM job SIGUSR1 put the job back in line.

    SIGTERM keeps a handler that stands already (submitit's, in a sweep). Nothing is written at
    that moment: a run goes on with the checkpoint of its last whole epoch.

    Args:
        folder: of the run.
        launch: what has started this process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, end = {}, _End()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, end)
    if AGAIN is not None and launch.job is not None:
        begun = _step(folder.checkpoints / "last.ckpt") or 0

        def again(number: int, frame: FrameType | None) -> None:
            _come_again(folder, str(launch.job), begun)

        own = folder.is_of_first_process
        before[AGAIN] = signal.signal(AGAIN, again if own else signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            if number != signal.SIGTERM or not end.asked:
                signal.signal(number, handler)


class _End:
    """End the process at the first SIGTERM; SLURM sends several, for the step and for the job.

    The others must not cut short what the process still has to say, so this handler stays.
    """

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
            raise SystemExit(128 + number)


def _come_again(folder: RunFolder, job: str, begun: int) -> None:
    """Put the job back in line, unless it would do the same work once more.

    Args:
        folder: of the run.
        job: SLURM's number.
        begun: the step that this start of the job began at.
    """
    step = _step(folder.checkpoints / "last.ckpt")
    if step is not None and step <= begun:
        print(
            f"The time of SLURM job {job} is nearly up, and not one epoch of the run in "
            f"{folder.path} was finished in it. Started again, it would get no further, so it is "
            "not: give the job more time (--time).",
            flush=True,
        )
        return
    print(
        f"The time of SLURM job {job} is nearly up: it is put back in line, and the run in "
        f"{folder.path} goes on by itself.",
        flush=True,  # SLURM ends this process before scontrol has answered
    )
    done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join((done.stdout + done.stderr).split())
        print(f"SLURM job {job} could not be put back in line: {said}", flush=True)


def _step(checkpoint: Path) -> int | None:
    """Optimizer steps in a checkpoint; None: there is none to be read."""
    from terrashot.networks.checkpoint_file import read_content

    try:
        return int(read_content(checkpoint, mmap=True)["global_step"])
    except Exception:  # whatever is wrong with it is said where the run reads it
        return None
