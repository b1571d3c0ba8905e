import errno
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from terrashot.app.main import main
from terrashot.app.run.folder import (
    FINISHED,
    RUNNING,
    RunFolder,
    find_run,
    latest_finished,
    runs_of_jobs,
)
from terrashot.errors import ConfigError, FullDiskError


def start(logs, experiment="stage1", data="demo"):
    folder = RunFolder.create(logs, experiment)
    folder.start("base_segmentation", data, "terrashot experiment=stage1")
    return folder


def test_runs_that_start_in_the_same_second_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: RunFolder.create(tmp_path, "stage1"), range(64)))
    assert len({f.path for f in folders}) == 64


def test_latest_points_to_the_newest_finished_run_only(tmp_path):
    first, second = start(tmp_path), start(tmp_path)
    first.finish(FINISHED)
    assert (tmp_path / "stage1" / "latest").resolve() == first.path.resolve()
    second.finish("failed")
    assert (tmp_path / "stage1" / "latest").resolve() == first.path.resolve()
    third = start(tmp_path)
    third.finish(FINISHED)
    assert (tmp_path / "stage1" / "latest").resolve() == third.path.resolve()


def test_run_json_says_how_the_run_stands(tmp_path):
    folder = start(tmp_path)
    info = json.loads((folder.path / "run.json").read_text())
    assert info["status"] == RUNNING
    assert info["versions"]["torch"]
    assert info["wandb_id"]
    folder.start("base_segmentation", "demo", "terrashot experiment=stage1")
    again = folder.read_info()
    assert again["wandb_id"] == info["wandb_id"]
    assert again["started"] == info["started"]
    assert len(again["resumed"]) == 1


def test_the_latest_run_is_sought_on_the_same_data(tmp_path):
    demo, dubai = start(tmp_path, data="demo"), start(tmp_path, data="dubai")
    for folder in (demo, dubai):
        folder.finish(FINISHED)
    start(tmp_path, data="demo")  # unfinished
    assert latest_finished(tmp_path, "base_segmentation", "demo").path == demo.path
    assert latest_finished(tmp_path, "base_segmentation", "openearthmap") is None


def test_resume_finds_the_newest_unfinished_run_and_refuses_a_finished_one(tmp_path):
    finished, stopped = start(tmp_path), start(tmp_path)
    finished.finish(FINISHED)
    assert find_run("latest", tmp_path, "stage1").path == stopped.path
    assert find_run(str(stopped.path), tmp_path, "stage1").path == stopped.path
    with pytest.raises(ConfigError, match="has finished"):
        find_run(str(finished.path), tmp_path, "stage1")
    with pytest.raises(ConfigError, match="no run folder"):
        find_run(str(tmp_path / "nowhere"), tmp_path, "stage1")
    stopped.finish(FINISHED)
    with pytest.raises(ConfigError, match="no unfinished run"):
        find_run("latest", tmp_path, "stage1")


def test_only_one_holder_has_a_folder_and_letting_go_frees_it(tmp_path):
    folder = start(tmp_path)
    with folder.locked() as first, folder.locked() as second:
        assert first
        assert not second
    with folder.locked() as again:
        assert again


def test_a_sweep_finds_the_runs_of_its_jobs_and_a_resumed_run_stays_its_jobs(tmp_path):
    start(tmp_path)  # of no sweep
    folder = RunFolder.create(tmp_path, "stage1")
    folder.start("base_segmentation", "demo", "terrashot -m", sweep="s", job="j1")
    folder.start("base_segmentation", "demo", "terrashot experiment=stage1")  # resume=FOLDER
    assert {k: [r.path for r in v] for k, v in runs_of_jobs(tmp_path, "stage1").items()} == {
        "j1": [folder.path]
    }
    assert folder.read_info()["sweep"] == "s"


def test_a_run_at_work_is_refused_before_anything_is_imported_or_checked_for_it(
    repository, tmp_path, monkeypatch, capsys
):
    folder = RunFolder.create(tmp_path, "stage1")
    folder.start("base_segmentation", "demo", "terrashot experiment=stage1")
    started = []
    monkeypatch.setattr("terrashot.app.run.start.start_run", lambda *_: started.append(1))
    command = ["experiment=stage1", f"paths.logs={tmp_path}", f"resume={folder.path}"]
    with folder.locked():
        assert main(repository / "configs", command) == 1
        assert "still at work" in " ".join(capsys.readouterr().err.split())
        # Of several processes the first one holds the folder for all.
        monkeypatch.setenv("RANK", "1")
        assert main(repository / "configs", command) == 0
    monkeypatch.delenv("RANK")
    assert main(repository / "configs", command) == 0
    assert started == [1, 1]


def test_a_run_json_that_can_not_be_read_for_a_moment_is_not_written_over(tmp_path, monkeypatch):
    folder = start(tmp_path)
    before = (folder.path / "run.json").read_bytes()

    def fail(path):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("terrashot.app.run.folder.read_text", fail)
        assert folder.read_info() == {}  # for those who only look
        with pytest.raises(OSError, match="Input/output"):
            folder.update_info(status=FINISHED)
    assert (folder.path / "run.json").read_bytes() == before


def test_a_folder_that_the_disk_has_no_room_for_is_named(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(
        FullDiskError, match=f"{tmp_path / 'stage1'} could not be written: the disk"
    ):
        RunFolder.create(tmp_path, "stage1")
