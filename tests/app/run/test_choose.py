"""Which folder a run takes, and what one that it is given may hold."""

from dataclasses import replace

import pytest

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.typed import save_settings
from terrashot.app.run.choose import check_fixed_folder, choose_folder
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.launch import Launch
from terrashot.errors import ConfigError


@pytest.fixture(scope="module")
def settings(repository):
    return compose_settings(repository / "configs", ["experiment=adapt", "method=ridge"])


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_a_folder_that_is_empty_or_holds_a_log_is_taken(settings, folder):
    check_fixed_folder(RunFolder(folder.path / "new"), settings)
    (folder.path / "slurm-1.out").touch()
    check_fixed_folder(folder, settings)


def test_the_same_run_may_start_again_in_its_folder_with_other_devices(settings, folder):
    save_settings(settings, folder.config)
    trainer = replace(settings.trainer, accelerator="cpu", devices=2)
    check_fixed_folder(folder, replace(settings, trainer=trainer))


def test_the_folder_of_another_run_is_refused(settings, folder):
    save_settings(replace(settings, name="mine"), folder.config)
    with pytest.raises(ConfigError, match=r"another run, whose name is mine.*resume="):
        check_fixed_folder(folder, settings)


def test_the_folder_of_a_run_with_another_seed_is_refused(settings, folder):
    save_settings(replace(settings, seed=3), folder.config)
    with pytest.raises(ConfigError, match="another run, whose seed is 3 and not 0"):
        check_fixed_folder(folder, settings)


@pytest.mark.parametrize("name", ["adapted.ckpt", "checkpoints", "results.json", "maps"])
def test_files_without_a_run_are_neither_replaced_nor_taken_for_its_own(settings, folder, name):
    (folder.path / name).touch()
    with pytest.raises(ConfigError, match=rf"holds {name}, but no config\.yaml"):
        check_fixed_folder(folder, settings)


@pytest.mark.parametrize("text", ["model: resnet", "- a", "{"])
def test_a_configuration_of_another_program_is_not_replaced(settings, folder, text):
    folder.config.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml that is no run's"):
        check_fixed_folder(folder, settings)
    assert folder.config.read_text() == text


def begun(logs, settings, launch, status):
    """A run of an earlier start of a launch."""
    run = RunFolder.create(logs, settings.name)
    save_settings(settings, run.config)
    run.start(settings.task, settings.data.name, "terrashot")
    run.update_info(launch=launch, status=status)
    return run


JOB = "slurm job 7 of alps"


@pytest.fixture
def here(settings, tmp_path):
    return replace(settings, paths=replace(settings.paths, logs=str(tmp_path / "logs")))


def test_a_job_that_is_started_again_goes_on_in_the_folder_it_had(here, tmp_path):
    logs = tmp_path / "logs"
    other = begun(logs, replace(here, seed=3), JOB, "running")
    run = begun(logs, here, JOB, "running")
    begun(logs, here, "slurm job 8 of alps", "running")
    assert choose_folder(here, Launch(JOB, "7", restarts=1)) == run
    assert choose_folder(replace(here, seed=3), Launch(JOB, "7", restarts=2)) == other


def test_of_several_runs_of_a_job_an_unfinished_one_goes_on_and_a_finished_one_stays(
    here, tmp_path
):
    again = Launch(JOB, "7", restarts=1)
    first = begun(tmp_path / "logs", here, JOB, "failed")
    last = begun(tmp_path / "logs", here, JOB, "finished")
    assert choose_folder(here, again) == first
    first.update_info(status="finished")
    assert choose_folder(here, again) == last


@pytest.mark.parametrize(
    "launch", [Launch(), Launch(JOB, "7"), Launch("slurm job 9", "9", restarts=1)]
)
def test_a_first_start_takes_a_folder_of_its_own(here, tmp_path, launch):
    run = begun(tmp_path / "logs", here, JOB, "running")
    folder = choose_folder(here, launch)
    assert folder != run
    assert folder.path.is_dir()
    assert not folder.config.exists()
