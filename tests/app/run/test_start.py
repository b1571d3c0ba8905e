"""How a run ends, and what it says then."""

import errno
import json
import sys
import warnings
from dataclasses import replace

import pytest
from lightning.fabric.plugins.environments import SLURMEnvironment

from terrashot.app.config.compose import compose_settings
from terrashot.app.run import start
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.launch import Launch
from terrashot.errors import (
    CheckpointError,
    ConfigError,
    FullDiskError,
    StoppedError,
    TerrashotError,
)
from terrashot.files import write_json

CLOSED = "[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:422"


@pytest.fixture(scope="module")
def settings(repository):
    return compose_settings(repository / "configs", ["experiment=stage1", "strategy=ddp"])


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path)
    folder.update_info(status="running")
    return folder


def end_with(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(start, "_run", fail)


def status(folder):
    return json.loads((folder.path / "run.json").read_text())["status"]


def test_a_process_that_misses_another_one_says_so(settings, folder, monkeypatch):
    end_with(RuntimeError(CLOSED), monkeypatch)
    two = replace(settings, trainer=replace(settings.trainer, num_nodes=2))
    with pytest.raises(TerrashotError, match=r"lost another of its 2 processes.*resume=.*gloo"):
        start.run_in_folder(two, folder.path)
    assert status(folder) == "failed"


def test_an_error_of_a_run_of_one_process_stays_what_it_is(settings, folder, monkeypatch):
    end_with(RuntimeError(CLOSED), monkeypatch)
    with pytest.raises(RuntimeError):
        start.run_in_folder(settings, folder.path)


@pytest.mark.parametrize("job", [None, "7"])
def test_a_run_that_was_stopped_says_how_it_goes_on(settings, folder, monkeypatch, job):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    end_with(SystemExit(143), monkeypatch)
    with pytest.raises(StoppedError, match=f"resume={folder.path}") as error:
        start.run_in_folder(settings, folder.path)
    assert ("goes on by itself" in str(error.value)) == (job is not None)
    assert status(folder) == "failed"


def test_a_later_process_says_that_the_run_failed_only_where_the_first_cannot(folder, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with folder.locked():
        folder.finish("failed")
        assert status(folder) == "running"
    folder.finish("finished")
    assert status(folder) == "running"
    folder.finish("failed")
    assert status(folder) == "failed"


def test_several_nodes_without_who_starts_them_are_refused_before_any_work(
    settings, tmp_path, monkeypatch
):
    for name in ("SLURM_JOB_ID", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    trainer = replace(settings.trainer, num_nodes=2)
    logs = replace(settings.paths, logs=str(tmp_path / "logs"))
    with pytest.raises(ConfigError, match=r"started alone.*srun.*torchrun"):
        start.start_run(replace(settings, trainer=trainer, paths=logs), [], console=None)
    assert not (tmp_path / "logs").exists()


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_during_a_run_is_named_with_the_way_on(settings, folder, monkeypatch):
    def run(*_):
        monkeypatch.setattr("terrashot.files.os.fsync", full)
        write_json(folder.path / "queries" / "tile.json", {})

    monkeypatch.setattr(start, "_run", run)
    with pytest.raises(FullDiskError) as caught:
        start.run_in_folder(settings, folder.path)
    message = str(caught.value)
    assert message.startswith(f"{folder.path / 'queries' / 'tile.json'} could not be written: the ")
    assert "MB are free. Make room there. Then go on with `python run.py" in message
    assert f"experiment=stage1 resume={folder.path}`" in message
    assert list((folder.path / "queries").iterdir()) == []
    monkeypatch.undo()
    # run.json could not say so, and yet the run is there to go on with.
    assert status(folder) == "running"
    assert start.find_run(str(folder.path), folder.path.parent, "stage1").path == folder.path


def test_a_full_disk_that_a_library_meets_is_told_as_well(settings, folder, monkeypatch):
    end_with(OSError(errno.EDQUOT, "Disk quota exceeded", "metrics.csv"), monkeypatch)
    with pytest.raises(FullDiskError, match=r"^metrics\.csv could not.*quota.*resume="):
        start.run_in_folder(settings, folder.path)
    assert status(folder) == "failed"


def test_the_end_of_a_failed_run_hides_no_error_of_a_full_disk(settings, folder, monkeypatch):
    end_with(CheckpointError("last.ckpt: the disk is full: continue with resume="), monkeypatch)
    monkeypatch.setattr("terrashot.files.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        start.run_in_folder(settings, folder.path)


@pytest.mark.skipif(sys.platform == "win32", reason="Lightning does not look for srun here")
def test_only_a_job_is_told_of_srun(tmp_path, monkeypatch):
    srun = tmp_path / "srun"
    srun.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLURM_NTASKS", raising=False)

    def told(launch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start._quiet_libraries(launch)
            SLURMEnvironment.detect()
        return [w for w in caught if "srun" in str(w.message)]

    assert told(Launch()) == []
    assert told(Launch("torchrun 1", None, "torchrun", 2)) == []
    assert len(told(Launch("slurm job 1 of alps", "1"))) == 1
