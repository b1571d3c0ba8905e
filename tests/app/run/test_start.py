"""What a fixed run folder may hold before the run."""

from dataclasses import replace

import pytest

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.typed import save_settings
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.start import _check_fixed_folder
from terrashot.errors import ConfigError


@pytest.fixture(scope="module")
def settings(repository):
    return compose_settings(repository / "configs", ["experiment=adapt", "method=ridge"])


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_a_folder_that_is_empty_or_holds_a_log_is_taken(settings, folder):
    _check_fixed_folder(RunFolder(folder.path / "new"), settings)
    (folder.path / "slurm-1.out").touch()
    _check_fixed_folder(folder, settings)


def test_the_same_run_may_start_again_in_its_folder_with_other_devices(settings, folder):
    save_settings(settings, folder.config)
    trainer = replace(settings.trainer, accelerator="cpu", devices=2)
    _check_fixed_folder(folder, replace(settings, trainer=trainer))


def test_the_folder_of_another_run_is_refused(settings, folder):
    save_settings(replace(settings, name="mine"), folder.config)
    with pytest.raises(ConfigError, match=r"another run, whose name is mine.*resume="):
        _check_fixed_folder(folder, settings)


def test_the_folder_of_a_run_with_another_seed_is_refused(settings, folder):
    save_settings(replace(settings, seed=3), folder.config)
    with pytest.raises(ConfigError, match="another run, whose seed is 3 and not 0"):
        _check_fixed_folder(folder, settings)


@pytest.mark.parametrize("name", ["adapted.ckpt", "checkpoints", "results.json", "maps"])
def test_files_without_a_run_are_neither_replaced_nor_taken_for_its_own(settings, folder, name):
    (folder.path / name).touch()
    with pytest.raises(ConfigError, match=rf"holds {name}, but no config\.yaml"):
        _check_fixed_folder(folder, settings)


@pytest.mark.parametrize("text", ["model: resnet", "- a", "{"])
def test_a_configuration_of_another_program_is_not_replaced(settings, folder, text):
    folder.config.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml that is no run's"):
        _check_fixed_folder(folder, settings)
    assert folder.config.read_text() == text
